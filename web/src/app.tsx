import { lazy, Suspense, type JSX } from "react";
import { Route, Switch } from "wouter";
import { Frame } from "./frame";
import { Empty, Loading } from "./parts/empty";
import { Heading } from "./parts/heading";
import { Jobs } from "./pages/jobs";
import { Overview } from "./pages/overview";

// What is not seen at once is read when it is opened.
const Job = lazy(async () => ({ default: (await import("./pages/job")).JobPage }));
const Builder = lazy(async () => ({ default: (await import("./pages/builder")).Builder }));
const Failures = lazy(async () => ({ default: (await import("./pages/failures")).FailuresPage }));
const System = lazy(async () => ({ default: (await import("./pages/system")).System }));

export function App(): JSX.Element {
  return (
    <Frame>
      <Suspense fallback={<Loading what="the page" />}>
        <Switch>
          <Route path="/" component={Overview} />
          <Route path="/jobs" component={Jobs} />
          <Route path="/job" component={Job} />
          <Route path="/new" component={Builder} />
          <Route path="/failures" component={Failures} />
          <Route path="/system" component={System} />
          <Route>
            <Heading title="There is no such page" />
            <Empty title="The address is not one of the dashboard's.">The menu leads to every page there is.</Empty>
          </Route>
        </Switch>
      </Suspense>
    </Frame>
  );
}
