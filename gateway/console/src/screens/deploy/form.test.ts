import { expect, test } from "vitest";
import type { ItemInput } from "../../lib/api";
import { makeForm, makePreviewRequest, makeRequest, parseExtra, suggestHostname } from "./form";

const inputs = [
  { name: "ADMIN", default: "admin", type: "text" },
  { name: "PASSWORD", type: "password", secret: true, generated: true },
] as ItemInput[];

test("what nobody filled in is left to the platform", () => {
  const request = makeRequest("nextcloud", makeForm("cloud", inputs), inputs);
  expect(request).toEqual({ catalog_id: "nextcloud", hostname: "cloud", config: {}, environment: {} });
});

test("what was filled in is sent, numbers as numbers", () => {
  const form = { ...makeForm("cloud", inputs), memory: "4096", cores: "3", disk: "50", runtime: "oci", node: "2/pve3", bridge: "vmbr1/40", storage: "tank", cidr: " 10.0.0.5/24 ", name: "Files" };
  form.values["ADMIN"] = "root";
  form.extra = "TZ=Europe/Berlin\nA=b=c";
  expect(makeRequest("nextcloud", form, inputs)).toEqual({
    catalog_id: "nextcloud",
    hostname: "cloud",
    name: "Files",
    config: { memory: 4096, cores: 3, disk_size: 50, runtime: "oci", storage: "tank", bridge: "vmbr1", vlan: 40 },
    environment: { ADMIN: "root", TZ: "Europe/Berlin", A: "b=c" },
    node: "pve3",
    host_id: 2,
    network_cidr: "10.0.0.5/24",
  });
});

test("the preview is asked for with what the deployment will send", () => {
  const form = { ...makeForm("cloud", inputs), memory: "512" };
  expect(makePreviewRequest(form, inputs)).toEqual({ config: { memory: 512 }, environment: {}, hostname: "cloud" });
});

test("a number that is none goes to the server, which says so at the field", () => {
  expect(makeRequest("x", { ...makeForm("x", []), memory: "lots" }, []).config).toEqual({ memory: "lots" });
});

test("variables are split at the first equals sign", () => {
  expect(parseExtra("A=1\n\n B = 2=3\nC")).toEqual({ A: "1", B: " 2=3", C: "" });
});

test("a host name that is taken gets a number", () => {
  expect(suggestHostname("nextcloud", new Set())).toBe("nextcloud");
  expect(suggestHostname("nextcloud", new Set(["nextcloud", "nextcloud-02"]))).toBe("nextcloud-03");
  expect(suggestHostname("n8", new Set())).toBe("n8-01");
});
