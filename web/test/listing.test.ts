import { expect, test } from "vitest";
import { change, formatListing, listingQuery, nextSort, parseListing, type Listing } from "../src/text/listing";

const full: Listing = { states: ["running", "failed"], q: "web !test", sort: "-time", date: "2026-01-24", trail: ["abc", "d-e_f"] };

test("the address holds all that is shown, there and back", () => {
  for (const listing of [full, parseListing(""), { ...full, trail: [] }, { ...full, states: [] }]) expect(parseListing(formatListing(listing))).toEqual(listing);
  expect(formatListing(parseListing(""))).toBe("");
});

test("what an address cannot mean is left out", () => {
  const listing = parseListing(`state=failed,none&sort=bogus&date=tomorrow&page=../x.ok&q=${"x".repeat(300)}`);
  expect(listing).toEqual({ states: ["failed"], q: "x".repeat(200), sort: "state", date: "", trail: ["ok"] });
});

test("the API is asked for the last page of the trail", () => {
  const params = new URLSearchParams(listingQuery(full));
  expect(params.get("cursor")).toBe("d-e_f");
  expect(params.get("status")).toBe("running,failed");
  expect(params.get("sort")).toBe("-time");
  expect(new URLSearchParams(listingQuery(parseListing(""))).has("cursor")).toBe(false);
});

test("another filter begins on the first page; a column is sorted one way, then the other", () => {
  expect(change(full, { q: "x" })).toEqual({ ...full, q: "x", trail: [] });
  expect(nextSort("state", "name")).toBe("name");
  expect(nextSort("name", "name")).toBe("-name");
  expect(nextSort("-name", "name")).toBe("name");
});
