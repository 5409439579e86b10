import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Router } from "wouter";
import { ApiError } from "./api/client";
import { App } from "./app";
import { Feed } from "./live/feed";
import { FeedContext } from "./live/use";
import { Toasts } from "./parts/toasts";

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      // What the server refuses it refuses again; what it could not answer may be answered soon.
      retry: (failures, error) => failures < 2 && error instanceof ApiError && (error.problem.status === 0 || error.problem.status >= 502),
    },
  },
});

// A session that ended: the server answers the same address with the page to log in.
client.getQueryCache().subscribe((event) => {
  if (event.type === "updated" && event.action.type === "error" && event.action.error instanceof ApiError && event.action.error.problem.status === 401) {
    location.reload();
  }
});

const feed = new Feed(client, sessionStorage);
feed.start();

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={client}>
        <FeedContext value={feed}>
          <Toasts>
            <Router base="/web/dashboard">
              <App />
            </Router>
          </Toasts>
        </FeedContext>
      </QueryClientProvider>
    </StrictMode>,
  );
}
