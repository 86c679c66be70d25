"use strict";

Redoc.init("/api/openapi.json", { hideDownloadButton: false, nativeScrollbars: true }, document.getElementById("redoc"));
