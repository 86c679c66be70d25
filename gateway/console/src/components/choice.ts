/** Choices of several things. */

/** What is chosen after one thing was taken in or out; what a search hides stays chosen. */
export function choose<T>(chosen: readonly T[], id: T, isIn: boolean): T[] {
  const others = chosen.filter((each) => each !== id);
  return isIn ? [...others, id] : others;
}
