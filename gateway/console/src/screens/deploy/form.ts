/** From the form to the request: what is empty is left out, so that the platform decides as the preview says. */
import type { ItemInput, Schemas } from "../../lib/api";
import { readNumber } from "../../lib/format";

export interface DeployForm {
  hostname: string;
  name: string;
  values: Record<string, string>;
  memory: string;
  cores: string;
  disk: string;
  runtime: string;
  /** `<host id>/<node>`, or empty. */
  node: string;
  bridge: string;
  storage: string;
  cidr: string;
  extra: string;
}

type DeployRequest = Schemas["DeployAppRequest"];
type PreviewRequest = Schemas["PreviewItemRequest"];

export function makeForm(hostname: string, inputs: readonly ItemInput[]): DeployForm {
  const values = Object.fromEntries(inputs.map((input) => [input.name, input.default ?? ""]));
  return { hostname, name: "", values, memory: "", cores: "", disk: "", runtime: "", node: "", bridge: "", storage: "", cidr: "", extra: "" };
}

/** NAME=value a line. Lines without `=` give the name an empty value, which the server judges. */
export function parseExtra(text: string): Record<string, string> {
  const lines = text.split("\n").map((line) => line.trim()).filter(Boolean);
  return Object.fromEntries(lines.map((line) => (line.includes("=") ? [line.slice(0, line.indexOf("=")).trim(), line.slice(line.indexOf("=") + 1)] : [line, ""])));
}

function makeEnvironment(form: DeployForm, inputs: readonly ItemInput[]): Record<string, string> {
  const given = inputs.filter((input) => (form.values[input.name] ?? "") !== "" && form.values[input.name] !== input.default);
  return { ...Object.fromEntries(given.map((input) => [input.name, form.values[input.name] ?? ""])), ...parseExtra(form.extra) };
}

function makeConfig(form: DeployForm): Record<string, unknown> {
  const config: Record<string, unknown> = {};
  if (form.memory) config["memory"] = readNumber(form.memory);
  if (form.cores) config["cores"] = readNumber(form.cores);
  if (form.disk) config["disk_size"] = readNumber(form.disk);
  if (form.runtime) config["runtime"] = form.runtime;
  if (form.storage) config["storage"] = form.storage;
  if (form.bridge) {
    const [bridge, vlan] = form.bridge.split("/");
    config["bridge"] = bridge;
    if (vlan) config["vlan"] = Number(vlan);
  }
  return config;
}

function makePlace(form: DeployForm): { node?: string; host_id?: number } {
  const [host, node] = form.node.split("/");
  return host && node ? { node, host_id: Number(host) } : {};
}

export function makeRequest(catalogId: string, form: DeployForm, inputs: readonly ItemInput[]): DeployRequest {
  return {
    catalog_id: catalogId,
    hostname: form.hostname.trim(),
    ...(form.name.trim() ? { name: form.name.trim() } : {}),
    config: makeConfig(form),
    environment: makeEnvironment(form, inputs),
    ...makePlace(form),
    ...(form.cidr.trim() ? { network_cidr: form.cidr.trim() } : {}),
  };
}

export function makePreviewRequest(form: DeployForm, inputs: readonly ItemInput[]): PreviewRequest {
  const hostname = form.hostname.trim();
  return { config: makeConfig(form), environment: makeEnvironment(form, inputs), ...makePlace(form), ...(hostname ? { hostname } : {}) };
}

/** A free host name for an item: its id, then with a number. */
export function suggestHostname(id: string, taken: ReadonlySet<string>): string {
  const base = id.toLowerCase().replace(/[^a-z0-9-]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 55);
  for (let number = 1; ; number += 1) {
    const name = number === 1 && base.length >= 3 ? base : `${base}-${String(number).padStart(2, "0")}`;
    if (!taken.has(name)) return name;
  }
}
