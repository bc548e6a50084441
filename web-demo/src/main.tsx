import { SynclineProvider } from "@syncline/react";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { client } from "./client";
import { App } from "./shell/app";
import "./styles/tokens.css";
import "./styles/base.css";

const root = document.querySelector("#root");
if (!root) throw new Error("index.html has #root");
createRoot(root).render(
  <StrictMode>
    <SynclineProvider client={client}>
      <App />
    </SynclineProvider>
  </StrictMode>,
);
