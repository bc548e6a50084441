/** Line icons of 20 x 20, in the color of the text around them. */

const PATHS = {
  brush: "M4 16c2.6.5 4.6-.3 4.6-2.4A2.1 2.1 0 0 0 6.5 11.5c-2 0-2 2.4-2.5 4.5zM9 12l6.6-7.6a1 1 0 0 1 1.5 1.4L10.2 13",
  hand: "M7 10V5.2a1.2 1.2 0 0 1 2.4 0V9m0-.6V4.2a1.2 1.2 0 0 1 2.4 0V9m0-3.3a1.2 1.2 0 0 1 2.4 0V12c0 3-1.7 5-4.4 5-2.2 0-3.2-1-4.4-3l-1.6-2.7c-.7-1.200.9-2.2 1.8-1.2L7 11.4",
  plus: "M10 4.5v11M4.5 10h11",
  minus: "M4.5 10h11",
  fit: "M7.5 4H4v3.5M12.5 4H16v3.5M7.5 16H4v-3.5M12.5 16H16v-3.5",
  sun: "M10 13.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM10 2v1.5M10 16.5V18M2 10h1.5M16.5 10H18M4.3 4.3l1.1 1.1M14.6 14.6l1.1 1.1M15.7 4.3l-1.1 1.1M5.4 14.6l-1.1 1.1",
  moon: "M16.5 11.8A6.7 6.7 0 0 1 8.2 3.5a6.7 6.7 0 1 0 8.3 8.3z",
  send: "M4 10h11M10.5 5l5 5-5 5",
  close: "M5.5 5.5l9 9M14.5 5.5l-9 9",
  window: "M11 4h5v5M16 4l-6.5 6.5M8.5 5H4v11h11v-4.5",
  chat: "M4 5h12v8.5H9L5.5 16.5v-3H4z",
  trophy: "M6.5 4h7v4a3.5 3.5 0 0 1-7 0zM6.5 5H4c0 2.5 1 3.5 2.7 3.6M13.5 5H16c0 2.5-1 3.5-2.7 3.6M10 11.5v2.5M7 16.5h6",
  pulse: "M2.5 10.5h3.5l2-5 3.5 9.5 2.2-4.5h3.8",
  down: "M10 4.5v11M5.5 11l4.5 4.5 4.5-4.5",
  edit: "M4 16l.8-3.2 8.5-8.5a1.2 1.2 0 0 1 1.7 0l.7.7a1.2 1.2 0 0 1 0 1.7l-8.5 8.5z",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 20 }: { name: IconName; size?: number }) {
  return (
    <svg
      viewBox="0 0 20 20"
      width={size}
      height={size}
      fill="none"
      stroke="currentColor"
      strokeWidth="1.6"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
