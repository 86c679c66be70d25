import type { Component } from "svelte";

/** A component of Lucide, imported by itself: `import House from "@lucide/svelte/icons/house"`. */
export type Icon = Component<{ size?: number | string; class?: string; "aria-hidden"?: "true" }>;
