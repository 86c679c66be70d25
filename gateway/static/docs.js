"use strict";

// Signing in from this page sets cookies; writes that rely on them must repeat the CSRF cookie in a header.
const CSRF_COOKIE = window.location.protocol === "https:" ? "__Host-csrftoken=" : "csrftoken=";
function addCsrfToken(request) {
  const cookie = document.cookie.split("; ").find((each) => each.startsWith(CSRF_COOKIE));
  const isWrite = !["GET", "HEAD"].includes((request.method || "GET").toUpperCase());
  if (isWrite && cookie && !request.headers.Authorization && !request.headers["X-CSRFToken"]) {
    request.headers["X-CSRFToken"] = decodeURIComponent(cookie.slice(CSRF_COOKIE.length));
  }
  return request;
}

window.ui = SwaggerUIBundle({
  url: "/api/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  filter: true,
  persistAuthorization: false,
  requestInterceptor: addCsrfToken,
  tryItOutEnabled: true,
  validatorUrl: null,
  withCredentials: true,
});
