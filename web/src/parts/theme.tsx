import { useEffect, useState, type JSX } from "react";
import { Icon, type IconName } from "./icon";

type Theme = "auto" | "light" | "dark";

const themes: Record<Theme, { word: string; icon: IconName; next: Theme }> = {
  auto: { word: "Auto", icon: "auto", next: "light" },
  light: { word: "Light", icon: "sun", next: "dark" },
  dark: { word: "Dark", icon: "moon", next: "auto" },
};

const storeKey = "hyper2kvm.theme";

function stored(): Theme {
  const text = localStorage.getItem(storeKey);
  return text === "light" || text === "dark" ? text : "auto";
}

/** Shows the page as the system, light or dark. */
export function ThemeSwitch(): JSX.Element {
  const [theme, setTheme] = useState(stored);
  useEffect(() => {
    if (theme === "auto") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = theme;
    localStorage.setItem(storeKey, theme);
    window.dispatchEvent(new Event("themechange"));
  }, [theme]);
  const now = themes[theme];
  return (
    <button type="button" className="button button-bare" onClick={() => setTheme(now.next)}>
      <Icon name={now.icon} />
      <span>
        <span className="sr">Colours: </span>
        {now.word}
      </span>
    </button>
  );
}
