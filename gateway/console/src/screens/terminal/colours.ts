/** The colours of a terminal: background and text are the console's, the sixteen of programs fit them. */
import type { ITheme } from "@xterm/xterm";

const LIGHT: ITheme = {
  black: "#24292f", red: "#b3261e", green: "#116329", yellow: "#7a4d00", blue: "#0550ae", magenta: "#8250df", cyan: "#146c7c", white: "#6e7781",
  brightBlack: "#57606a", brightRed: "#a40e26", brightGreen: "#1a7f37", brightYellow: "#633c01", brightBlue: "#0969da", brightMagenta: "#6639ba", brightCyan: "#1b7c83", brightWhite: "#424a53",
};
const DARK: ITheme = {
  black: "#484f58", red: "#ff7b72", green: "#3fb950", yellow: "#d29922", blue: "#58a6ff", magenta: "#bc8cff", cyan: "#39c5cf", white: "#b1bac4",
  brightBlack: "#7d8590", brightRed: "#ffa198", brightGreen: "#56d364", brightYellow: "#e3b341", brightBlue: "#79c0ff", brightMagenta: "#d2a8ff", brightCyan: "#56d4dd", brightWhite: "#f0f6fc",
};

/** Read the colours that an element has now. */
export function readColours(element: Element): ITheme {
  const style = getComputedStyle(element);
  const [background, foreground] = [style.backgroundColor, style.color];
  const isDark = brightness(background) < brightness(foreground);
  return {
    ...(isDark ? DARK : LIGHT), background, foreground, cursor: foreground, cursorAccent: background,
    selectionBackground: isDark ? "#3b4261" : "#c7d2fe",
  };
}

function brightness(colour: string): number {
  const [red = 0, green = 0, blue = 0] = (colour.match(/[\d.]+/g) ?? []).map(Number);
  return 0.3 * red + 0.59 * green + 0.11 * blue;
}
