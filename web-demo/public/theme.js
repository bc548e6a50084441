// Before the first paint, so that a chosen theme does not flash. src/shell/theme.ts does the rest.
try {
  const theme = localStorage.getItem("syncline-demo:theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // No storage: the system's theme it is.
}
