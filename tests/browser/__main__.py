"""`python -m tests.browser URL --pictures DIR`: sign in and call the API from Swagger UI, follow events, take pictures."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import uuid
from pathlib import Path

from tests.browser.chromium import BrowserError, Page

BLOCK = """[...document.querySelectorAll('.opblock-%s')].find(
  block => block.querySelector('.opblock-summary-path').dataset.path === '%s')"""
FILL = """(() => {
  const area = %s.querySelector('textarea.body-param__text');
  if (!area) return false;
  Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, 'value').set.call(area, %s);
  area.dispatchEvent(new Event('input', { bubbles: true }));
  return true;
})()"""
FOLLOW = """(async () => {
  const csrf = document.cookie.match(/csrftoken=([^;]+)/)[1];
  const headers = { 'content-type': 'application/json', 'x-csrftoken': csrf };
  const body = JSON.stringify({ catalog_id: 'adminer', hostname: '%s' });
  const app = await (await fetch('/api/apps', { method: 'POST', headers, body })).json();
  const seen = [];
  const events = new EventSource('/api/apps/' + app.id + '/events');
  const note = kind => event => {
    const data = JSON.parse(event.data);
    seen.push([kind, event.lastEventId, data.status || data.message]);
    if (kind === 'status' && data.status === 'running')
      fetch('/api/apps/' + app.id, { method: 'DELETE', headers });
  };
  return await new Promise(resolve => {
    for (const kind of ['status', 'log', 'failed']) events.addEventListener(kind, note(kind));
    events.addEventListener('removed', event => { note('removed')(event); events.close(); resolve(seen); });
  });
})()"""


SIGN_IN = """(async () => {
  const name = location.protocol === 'https:' ? '__Host-csrftoken=' : 'csrftoken=';
  const send = (method, path, body, headers) => fetch('/api' + path, {
    method, headers: { 'content-type': 'application/json', ...headers }, body: body && JSON.stringify(body) });
  const login = await send('POST', '/auth/login', %s);
  const user = await send('GET', '/auth/user');
  const cookie = document.cookie.split('; ').find(each => each.startsWith(name));
  const csrf = { 'x-csrftoken': cookie ? cookie.slice(name.length) : '' };
  const write = await send('PATCH', '/auth/user', { bio: 'seen by a browser' }, csrf);
  const refresh = await send('POST', '/auth/token/refresh', {}, csrf);
  return [login.status, user.status, write.status, refresh.status];
})()"""
IS_SIGNED_IN = "fetch('/api/auth/user').then(answer => answer.status === 200)"


def try_both_schemes(page: Page, url: str, username: str, password: str) -> None:
    """Sign in over https, then over http; both sessions must work, whichever came first.

    Raises:
        BrowserError: a session of one scheme hides that of the other.
    """
    body = json.dumps({"username": username, "password": password})
    pages = [url.replace("http://", "https://", 1), url]
    for base in pages:
        open_page(page, f"{base}/api/docs")
        statuses = page.run(SIGN_IN % body)
        if statuses != [200, 200, 200, 200]:
            raise BrowserError(f"{base}: login, read, write and refresh answered {statuses}")
    for base in pages:
        open_page(page, f"{base}/api/docs")
        if not page.run(IS_SIGNED_IN):
            raise BrowserError(f"{base} is no longer signed in after the sign-in at the other scheme")
    print("signed in over https and over http beside each other")


def open_page(page: Page, address: str) -> None:
    """Go to an address and wait until its document is there."""
    page.send("Page.navigate", url=address)
    page.wait_for(f"location.href.startsWith({json.dumps(address)}) && document.readyState === 'complete'")


def call_from_page(page: Page, method: str, path: str, body: dict[str, str] | None = None) -> str:
    """Open an operation, press "Execute"; returns the status that the page shows."""
    block = BLOCK % (method, path)
    page.wait_for(f"!!({block})")
    page.run(f"({block}).querySelector('.opblock-summary-control').click()")
    page.wait_for(f"!!({block}).querySelector('.execute, .try-out__btn:not(.cancel)')")
    page.run(
        f"void (({block}).querySelector('.execute') || ({block}).querySelector('.try-out__btn').click())"
    )
    page.wait_for(f"!!({block}).querySelector('.execute')")
    if body is not None:
        page.wait_for(FILL % (f"({block})", json.dumps(json.dumps(body))))
    page.run(f"({block}).querySelector('.execute').click()")
    shown = f"({block}).querySelector('.live-responses-table tbody .response-col_status')?.innerText.trim()"
    page.run(f"({block}).scrollIntoView()")
    return str(page.wait_for(shown)).split()[0]


def look(url: str, username: str, password: str, *, pictures: Path, https_too: bool) -> None:
    """Try everything and write the pictures.

    Raises:
        BrowserError: something is not as it should be.
    """
    with tempfile.TemporaryDirectory() as profile, Page(Path(profile)) as page:
        page.send("Page.enable")
        if https_too:
            try_both_schemes(page, url, username, password)
            page.send(
                "Page.navigate", url="about:blank"
            )  # or what follows would find the page that is going away
        open_page(page, f"{url}/api/docs")
        status = call_from_page(page, "post", "/api/auth/login", {"username": username, "password": password})
        page.take_picture(pictures / "login.png")
        if status != "200":
            raise BrowserError(f"signing in from the page answered {status}")
        status = call_from_page(page, "get", "/api/proxmox/hosts")
        page.take_picture(pictures / "hosts.png")
        if status != "200":
            raise BrowserError(f"the hosts answered {status} to the page")
        seen = page.run(FOLLOW % f"browser-{uuid.uuid4().hex[:8]}")
        told = [what for kind, _, what in seen if kind != "log"]
        if told[0] != "deploying" or "running" not in told or told[-1] != "removed":
            raise BrowserError(f"EventSource heard {told}")
        print(f"signed in, read the hosts, heard {len(seen)} events from deployment to removal")
        page.send("Page.navigate", url=f"{url}/api/redoc")
        page.wait_for("document.body?.innerText.includes('Deploy an app')")
        page.take_picture(pictures / "redoc.png")


def main() -> None:
    """Read the arguments and look."""
    parser = argparse.ArgumentParser(prog="python -m tests.browser", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--username", default="admin")
    parser.add_argument(
        "--https-too", action="store_true", help="sign in over https on the same port as well"
    )
    parser.add_argument("--pictures", type=Path, default=Path("build/pictures"))
    options = parser.parse_args()
    options.pictures.mkdir(parents=True, exist_ok=True)
    password = os.environ["PROXIMITY_PASSWORD"]
    look(options.url, options.username, password, pictures=options.pictures, https_too=options.https_too)


if __name__ == "__main__":
    main()
