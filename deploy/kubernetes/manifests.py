"""What the platform consists of on Kubernetes; the calls that are allowed between its parts come from the protos."""

from __future__ import annotations

from proximity.common.v1 import access_pb2

from deploy.kubernetes.parts import (
    GRPC_PORT,
    HEALTH_PORT,
    NAMESPACE,
    WEBSOCKET_PORT,
    Manifest,
    admit_gateway,
    allow,
    make_deployment,
    make_labels,
    make_object,
    make_pod,
    make_probes,
    reach,
    reach_anywhere,
    reach_labelled,
)
from deploy.kubernetes.settings import METRICS_PORT, make_settings
from gateway.surface import Surface
from protos import VERSION
from services.registry import OUTSIDE_PORTS, SERVICES, WEBSOCKET_SERVICES, WORKERS

_GATEWAY_PORT = 8000
_NATS = {"app.kubernetes.io/name": "nats"}  # of the nats Helm chart
_MONITORING = "monitoring"  # namespace of Prometheus; an overlay may name another one
_POSTGRES = {"cnpg.io/cluster": "proximity"}  # of the CloudNativePG operator


def list_files(surface: Surface) -> dict[str, list[Manifest]]:
    """Return every file of base/ with its objects."""
    callers = find_callers(surface)
    files = {"common.yaml": _list_common(), "gateway.yaml": _list_gateway()}
    for service in SERVICES:
        files[f"{service}.yaml"] = _list_service(service, callers)
    files["kustomization.yaml"] = [
        {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "namespace": NAMESPACE,
            "resources": sorted(files),
        }
    ]
    return files


def find_callers(surface: Surface) -> dict[str, set[str]]:
    """Which services call each service: those that the internal RPCs name, and everybody asks auth for its keys."""
    callers: dict[str, set[str]] = {service: set() for service in SERVICES}
    for file in surface.image.file:
        for service in file.service:
            for method in service.method:
                options = method.options.Extensions[access_pb2.rpc]
                if options.callers:
                    callers[file.package.split(".")[1]].update(options.callers)
    callers["auth"] = set(SERVICES) - {"auth"}
    return callers


def _list_common() -> list[Manifest]:
    namespace = make_object("Namespace", "proximity")
    namespace["metadata"]["labels"] |= {"pod-security.kubernetes.io/enforce": "restricted"}
    addresses = {f"{service.upper()}_ADDRESS": f"dns:///{service}:{GRPC_PORT}" for service in SERVICES}
    data = {
        **addresses,
        "DATABASE_URL_FILE": "/run/secrets/database_url",
        "NATS_REPLICAS": "3",
        "SECRET_KEY_FILE": "/run/secrets/secret_key",
        "SERVICE_KEYS_DIR": "/run/secrets",
        "TLS_DIR": "/run/tls",
        "LISTEN": f"0.0.0.0:{GRPC_PORT}",
        "HEALTH_LISTEN": f"0.0.0.0:{HEALTH_PORT}",
        "METRICS_LISTEN": f"0.0.0.0:{METRICS_PORT}",
    }
    account = make_object("ServiceAccount", "proximity", automountServiceAccountToken=False)
    return [namespace, account, make_object("ConfigMap", "proximity", data=data), _allow_metrics()]


def _allow_metrics() -> Manifest:
    """Prometheus in the namespace `monitoring` may scrape every process of ours."""
    return make_object(
        "NetworkPolicy",
        "metrics",
        version="networking.k8s.io/v1",
        spec={
            "podSelector": {"matchLabels": {"app.kubernetes.io/part-of": "proximity"}},
            "policyTypes": ["Ingress"],
            "ingress": [
                {
                    "from": [
                        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": _MONITORING}}}
                    ],
                    "ports": [{"port": METRICS_PORT, "protocol": "TCP"}],
                }
            ],
        },
    )


def _list_service(service: str, callers: dict[str, set[str]]) -> list[Manifest]:
    pod = make_pod(service, _make_container(service, "serve"), secret=f"proximity-{service}")
    has_websockets = service in WEBSOCKET_SERVICES
    headless = make_object(
        "Service",
        service,
        spec={
            "clusterIP": "None",  # callers see every replica and balance by call, not by connection
            "selector": make_labels(service),
            "ports": [
                {"name": "grpc", "port": GRPC_PORT, "appProtocol": "grpc"},
                *([{"name": "websockets", "port": WEBSOCKET_PORT}] if has_websockets else []),
            ],
        },
    )
    reached = _list_reached(service, callers)
    found = [_make_migration(service), *make_deployment(service, pod, replicas=2), headless]
    workers = {f"{each}-worker" for each in WORKERS}
    may_call = {"gateway", *callers[service], *(f"{each}-worker" for each in callers[service])}
    found.append(
        allow(
            service,
            callers=may_call & {"gateway", *SERVICES, *workers},
            reached=reached,
            port=GRPC_PORT,
            further=[admit_gateway(WEBSOCKET_PORT)] if has_websockets else [],
        )
    )
    if service in WORKERS:
        worker = f"{service}-worker"
        pod = make_pod(worker, _make_container(service, "work"), secret=f"proximity-{service}")
        found += make_deployment(worker, pod, replicas=2)
        found.append(allow(worker, callers=(), reached=_list_reached(worker, callers), port=GRPC_PORT))
    return found


def _list_reached(process: str, callers: dict[str, set[str]]) -> list[Manifest]:
    service = process.removesuffix("-worker")
    called = [each for each in SERVICES if service in callers[each]]
    reached = [reach(called, GRPC_PORT)] if called else []
    reached += [reach_labelled(_NATS, 4222), reach_labelled(_POSTGRES, 5432)]
    if ports := OUTSIDE_PORTS.get(process):
        reached.append(reach_anywhere(*ports))
    return reached


def _make_container(service: str, command: str) -> Manifest:
    ports = [
        {"name": "health", "containerPort": HEALTH_PORT},
        {"name": "metrics", "containerPort": METRICS_PORT},
    ]
    process = service if command == "serve" else f"{service}-worker"
    if command == "serve":
        ports.insert(0, {"name": "grpc", "containerPort": GRPC_PORT})
    has_websockets = command == "serve" and service in WEBSOCKET_SERVICES
    if has_websockets:
        ports.append({"name": "websockets", "containerPort": WEBSOCKET_PORT})
    return {
        "name": service,
        "image": f"proximity-{service}:{VERSION}",
        "args": [command],
        "envFrom": [{"configMapRef": {"name": "proximity"}}],
        "env": [
            {"name": "NATS_URL_FILE", "value": f"/run/secrets/nats_url_{process}"},
            *(_list_admin() if service == "auth" else []),
            *make_settings(service),
            *([{"name": "WEBSOCKET_LISTEN", "value": f"0.0.0.0:{WEBSOCKET_PORT}"}] if has_websockets else []),
        ],
        "ports": ports,
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        **make_probes({"grpc": {"port": HEALTH_PORT}, "timeoutSeconds": 3}),
    }


def _list_admin() -> list[Manifest]:
    """The first administrator, of the secret `proximity-admin`; it may be removed once there is one."""
    return [
        {
            "name": f"PROXIMITY_{key.upper()}",
            "valueFrom": {"secretKeyRef": {"name": "proximity-admin", "key": key, "optional": True}},
        }
        for key in ("admin_username", "admin_password")
    ]


def _make_migration(service: str) -> Manifest:
    container = {
        "name": service,
        "image": f"proximity-{service}:{VERSION}",
        "args": ["migrate"],
        "envFrom": [{"configMapRef": {"name": "proximity"}}],
        "env": make_settings(service),
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
    }
    name = f"{service}-migrate-{VERSION.replace('.', '-')}"
    pod = make_pod(service, container, secret=f"proximity-{service}", restart="OnFailure")
    return make_object(
        "Job",
        name,
        version="batch/v1",
        spec={"backoffLimit": 6, "ttlSecondsAfterFinished": 86_400, "template": pod},
    )


def _list_gateway() -> list[Manifest]:
    endpoints = [f"--endpoint={service}={service}:{GRPC_PORT}" for service in SERVICES]
    websockets = [f"--websockets={service}={service}:{WEBSOCKET_PORT}" for service in WEBSOCKET_SERVICES]
    container = {
        "name": "gateway",
        "image": f"proximity-gateway:{VERSION}",
        "args": [
            *("serve", f"--listen=0.0.0.0:{_GATEWAY_PORT}", *endpoints, *websockets),
            *("--upstream-ca=/run/tls/ca.crt", "--upstream-cert=/run/tls/gateway.crt"),
            *("--upstream-key=/run/tls/gateway.key", "--access-log=/dev/stdout"),
        ],
        "envFrom": [{"configMapRef": {"name": "gateway"}}],
        "env": make_settings("gateway"),
        "ports": [
            {"name": "http", "containerPort": _GATEWAY_PORT},
            {"name": "metrics", "containerPort": METRICS_PORT},
        ],
        "resources": {"requests": {"cpu": "200m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
        **make_probes({"tcpSocket": {"port": _GATEWAY_PORT}}),
    }
    service = make_object(
        "Service",
        "gateway",
        spec={
            "selector": make_labels("gateway"),
            "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
        },
    )
    policy = allow(
        "gateway",
        callers=(),
        reached=[reach(SERVICES, GRPC_PORT), reach(WEBSOCKET_SERVICES, WEBSOCKET_PORT)],
        port=_GATEWAY_PORT,
    )
    policy["spec"]["ingress"] = [{"ports": [{"port": _GATEWAY_PORT, "protocol": "TCP"}]}]
    pod = make_pod("gateway", container, secret="proximity-gateway")  # noqa: S106 - the name of one
    # An ingress controller is the one proxy before the gateway, unless the settings say otherwise.
    given = {"METRICS_LISTEN": f"0.0.0.0:{METRICS_PORT}", "TRUSTED_PROXIES": "1"}
    defaults = make_object("ConfigMap", "gateway", data=given)
    return [defaults, *make_deployment("gateway", pod, replicas=2), service, policy, _make_ingress()]


def _make_ingress() -> Manifest:
    backend = {"service": {"name": "gateway", "port": {"name": "http"}}}
    host = "proximity.example.org"
    return make_object(
        "Ingress",
        "gateway",
        version="networking.k8s.io/v1",
        spec={
            "tls": [{"hosts": [host], "secretName": "proximity-tls"}],
            "rules": [
                {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
            ],
        },
    )
