/** Light, dark, or as the system says. It is a preference of this browser. */
export type Theme = "system" | "light" | "dark";
const KEY = "proximity-theme";

function isTheme(text: string | null): text is Theme {
  return text === "light" || text === "dark" || text === "system";
}

class ThemeChoice {
  value: Theme = $state("system");

  start(): void {
    const saved = localStorage.getItem(KEY);
    this.set(isTheme(saved) ? saved : "system");
    window.addEventListener("storage", (event) => {
      if (event.key === KEY && isTheme(event.newValue)) this.#apply(event.newValue);
    });
  }

  set(theme: Theme): void {
    localStorage.setItem(KEY, theme);
    this.#apply(theme);
  }

  #apply(theme: Theme): void {
    this.value = theme;
    document.documentElement.dataset["theme"] = theme;
  }
}

export const theme = new ThemeChoice();
