export const words = {
  apps: "Apps",
  open: "Open",
  more: "More actions",
  gone: "There is no such app",
  goneText: "It was deleted, or it belongs to somebody else.",
  toApps: "All apps",
  progress: "In progress",
  cancel: "Cancel",
  cancelling: "Cancelling…",
  details: "Details",
} as const;
