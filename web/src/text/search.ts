/** Takes a text apart where words stand in it, in upper or lower case: what is before them, the words, what is between, and so on. */
export function pieces(text: string, words: string): string[] {
  const wanted = words.toLowerCase();
  const low = text.toLowerCase();
  // Few letters become longer in lower case; then places in one text are none in the other.
  if (wanted === "" || low.length !== text.length) return [text];
  const all: string[] = [];
  let from = 0;
  for (let at = low.indexOf(wanted); at >= 0; at = low.indexOf(wanted, from)) {
    all.push(text.slice(from, at), text.slice(at, at + wanted.length));
    from = at + wanted.length;
  }
  return [...all, text.slice(from)];
}
