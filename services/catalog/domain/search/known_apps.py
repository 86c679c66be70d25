"""Facts about well-known apps that collections state differently or not at all: category and search keywords.

Names are written without spaces, punctuation and accents (`squash_name`). Items of this repository need no entry:
their own category and tags count for every other item of the same name.
"""

from __future__ import annotations

import re
import unicodedata

_NAMES_BY_CATEGORY = {
    "Analytics": "apachesuperset evidence goatcounter openpanel plausible plausibleanalytics posthog redash rybbit superset",
    "Artificial intelligence": (
        "anythingllm automatic1111 comfyui dify flowise langflow librechat litellm lobechat localai ollama ollamaamd "
        "ollamacpu ollamanvidia openwebui openclaw perplexica stablediffusion whisper"
    ),
    "Automation": "activepieces automatisch huginn kestra olivetin semaphore semaphoreui windmill",
    "Books and reading": (
        "archivebox booksonic calibre calibrewebautomated commafeed hoarder karakeep lazylibrarian linkace linkstack "
        "linkwarden mylar3 omnivore readarr rsshub storyteller ttrss ubooquity"
    ),
    "Communication": (
        "conduit databag discourse element elementweb gotosocial jitsi jitsimeet lemmy libreddit mastodon matrix "
        "matrixconduit misskey monica mumble redlib rocketchat roundcube simplexchat snappymail synapse teamspeak "
        "teamspeak3 thelounge tuwunel zulip"
    ),
    "Dashboards": "dashdot dasherr flame glance homarr homer organizr",
    "Databases": "cloudbeaver clickhouse dgraph elasticsearch mongoexpress neo4j qdrant redisinsight surrealdb timescaledb",
    "Development": (
        "appsmith budibase coder drone gitlab gitlabce hoppscotch langfuse nhost onedev opengist penpot sonarqube "
        "sourcegraph strapi supabase teamcity woodpecker"
    ),
    "Downloads": (
        "autobrr bazarr bitmagnet deemix deluge downtify flaresolverr jackett jdownloader jdownloader2 lidarr medusa "
        "metube nzbget nzbhydra nzbhydra2 overseerr pinchflat pyload rtorrent rutorrent sabnzbd seerr sickchill "
        "sickgear spotdl tubearchivist whisparr youtubedlmaterial"
    ),
    "Files and storage": (
        "copyparty cloudreve duplicati duplicacy filestash garage kopia nextcloudaio owncloud ocis opencloud pingvinshare "
        "pydio resiliosync rclone restic samba seafile sftpgo snapdrop pairdrop sync urbackup"
    ),
    "Finance": "albyhub crater ghostfolio invoiceninja invoiceshelf maybe odoo sure wallos",
    "Games": "crafty minecraft minecraftserver pterodactyl romm valheim",
    "Media": (
        "airsonic beets channelsdvr dim embystat emby ersatztv funkwhale icecast invidious jellystat koel lyrion mstream "
        "musicassistant owncast peertube plex plexmediaserver stremio swingmusic tdarr threadfin tvheadend wizarr xteve"
    ),
    "Monitoring": (
        "beszel checkmk cadvisor dozzle gatus glances graylog librenms netdata nodeexporter peekaping scrutiny "
        "smokeping statping zabbix"
    ),
    "Network": (
        "adguard adguardhomesync blocky cloudflareddns cloudflared cloudflaretunnel ddnsupdater duckdns guacamole headscale "
        "ipfs librespeedtest myspeed netalertx netbird netbootxyz nginxproxymanager omada omadacontroller openspeedtest "
        "openvpn openvpnas powerdns searxng speedtesttracker tailscale technitium technitiumdns tor traefik "
        "unboundunifi unifi unificontroller unifinetworkapplication wgeasy wireguard wireguardui zerotier"
    ),
    "Notes and documents": (
        "affine anytype blinko cryptpad docuseal dokuwiki excalidraw flatnotes joplin joplinserver logseq mediawiki "
        "obsidian obsidianlivesync onlyoffice outline overleaf paperlessng papermerge siyuan standardnotes tiddlywiki "
        "xwiki collabora"
    ),
    "Photos": "damselfly ente enteauth librephotos lychee photofield photoprism photoshow photoview piwigo pigallery2",
    "Productivity": (
        "appflowy calcom focalboard kimai leantime openproject plane redmine rallly taiga tandoor tandoorrecipes "
        "traggo wekan solidtime"
    ),
    "Security": (
        "2fauth authelia authentik bitwarden crowdsec enteauthenticator fail2ban infisical lldap passbolt passkyclient "
        "passkyserver pocketid psono zitadel"
    ),
    "Smart home": (
        "esphome frigate homebox homebridge lubelogger openhab scrypted zigbee2mqtt zwavejsui domoticz evcc teslamate"
    ),
    "Tools": "convertx cyberchef reactiveresume watchtower dockge portainer yacht komodo",
    "Web and publishing": "drupal grav hugo joomla medusajs prestashop writefreely saleor",
    "Web servers": "openresty lighttpd swag",
}  # fmt: skip

_CALENDARS = "baikal radicale davis"

CATEGORIES = frozenset({*_NAMES_BY_CATEGORY, "Other"})
"""Every category that the catalog shows."""

_KEYWORDS = {
    "ad blocker": "adguardhome blocky pihole technitium",
    "authentication sso": "authelia authentik keycloak pocketid zitadel lldap",
    "automation workflow": "activepieces huginn kestra n8n nodered windmill",
    "backup": "duplicati kopia restic urbackup duplicacy",
    "calendar contacts": "baikal radicale nextcloud davis",
    "chat team messaging": "mattermost rocketchat zulip element synapse",
    "dashboard start page": "homepage homarr dashy heimdall homer glance",
    "ebooks": "calibreweb calibre kavita komga",
    "file sharing sync": "nextcloud seafile syncthing owncloud",
    "git": "gitea forgejo gitlab",
    "llm ai": "openwebui ollama librechat anythingllm",
    "mail email": "roundcube snappymail stalwart mailcow",
    "media server": "jellyfin plex emby",
    "movies": "radarr jellyfin plex emby",
    "music": "navidrome funkwhale koel lidarr",
    "password manager": "vaultwarden bitwarden passbolt",
    "photos photo": "immich photoprism librephotos photoview",
    "proxy reverse": "nginxproxymanager traefik caddy",
    "recipes": "mealie tandoor",
    "rss feeds": "freshrss miniflux ttrss",
    "torrent": "qbittorrent transmission deluge",
    "tv series": "sonarr jellyfin plex",
    "vpn": "wireguard wgeasy tailscale headscale netbird openvpnas",
}


def squash_name(text: str) -> str:
    """Return a name by which apps of several collections are compared: lower case letters and digits only."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return re.sub(r"[\W_]+", "", "".join(c for c in decomposed if not unicodedata.combining(c)))


_CATEGORY_OF = {
    **{
        squash_name(name): category
        for category, names in _NAMES_BY_CATEGORY.items()
        for name in names.split()
    },
    **dict.fromkeys(_CALENDARS.split(), "Productivity"),
}


def _list_keywords() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for words, names in _KEYWORDS.items():
        for name in names.split():
            found.setdefault(name, []).append(words)
    return {name: tuple(words) for name, words in found.items()}


_KEYWORDS_OF = _list_keywords()


def find_category(name: str) -> str | None:
    """Return the category of an app that is known by its squashed name, or None."""
    return _CATEGORY_OF.get(name)


def find_keywords(name: str) -> tuple[str, ...]:
    """Return what people search a known app by, besides its name and description."""
    return _KEYWORDS_OF.get(name, ())
