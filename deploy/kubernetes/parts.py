"""Manifests that every part has: deployment, service, disruption budget, autoscaler, network policy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Manifest = dict[str, Any]

NAMESPACE = "proximity"
GRPC_PORT = 50051
HEALTH_PORT = 50052
WEBSOCKET_PORT = 50053
USER = 10001
_LINGER_S = 10
_NOTICED_S = 5  # until the gateway uses a replica that is back


_WORKLOADS = frozenset({"Deployment", "Job"})
# What checkov reports of workloads and we accept, each with the reason.
_ACCEPTED = {
    "checkov.io/skip1": "CKV_K8S_11=a CPU limit throttles answers while cores are idle; requests and the autoscaler share them",
    "checkov.io/skip2": "CKV_K8S_15=tags are versions and never move; a node that has one starts without the registry",
    "checkov.io/skip3": "CKV_K8S_43=the digests are those of the registry of an overlay, which names them under images",
    "checkov.io/skip4": "CKV_K8S_35=keys and URLs with passwords are files; optional keys of proximity-settings cannot be",
}


def make_labels(component: str) -> dict[str, str]:
    """The labels that name a component."""
    return {"app.kubernetes.io/part-of": "proximity", "app.kubernetes.io/component": component}


def make_object(kind: str, name: str, *, version: str = "v1", **body: object) -> Manifest:
    """One object with the labels of the component `name`."""
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {
            "name": name,
            **({} if kind == "Namespace" else {"namespace": NAMESPACE}),
            "labels": make_labels(name),
            **({"annotations": _ACCEPTED} if kind in _WORKLOADS else {}),
        },
        **body,
    }


def make_pod(component: str, container: Manifest, *, secret: str, restart: str = "Always") -> Manifest:
    """A pod template as the restricted pod security standard demands it."""
    return {
        "metadata": {"labels": make_labels(component)},
        "spec": {
            "serviceAccountName": "proximity",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,  # variables of every service of the namespace, as PROXIMITY_RW_PORT
            "restartPolicy": restart,
            "terminationGracePeriodSeconds": 30,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": USER,
                "runAsGroup": USER,
                "fsGroup": USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": make_labels(component)},
                }
            ],
            "containers": [_restrain(_linger(container) if restart == "Always" else container)],
            "volumes": [
                {"name": "secrets", "secret": {"secretName": secret, "defaultMode": 0o440}},
                {"name": "tls", "secret": {"secretName": f"{secret}-tls", "defaultMode": 0o440}},
                {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
            ],
        },
    }


def _linger(container: Manifest) -> Manifest:
    """Serve on for a while after the endpoint is taken away: callers look names up every few seconds."""
    return {**container, "lifecycle": {"preStop": {"sleep": {"seconds": _LINGER_S}}}}


def _restrain(container: Manifest) -> Manifest:
    return {
        **container,
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "secrets", "mountPath": "/run/secrets", "readOnly": True},
            {"name": "tls", "mountPath": "/run/tls", "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the container's own
        ],
    }


def make_probes(handler: Manifest) -> Manifest:
    """Startup, readiness and liveness by the same question."""
    return {
        "startupProbe": {**handler, "periodSeconds": 2, "failureThreshold": 30},
        "readinessProbe": {**handler, "periodSeconds": 5},
        "livenessProbe": {**handler, "periodSeconds": 10, "failureThreshold": 6},
    }


def make_deployment(component: str, pod: Manifest, *, replicas: int) -> list[Manifest]:
    """A deployment that never has fewer ready than before, its budget and its autoscaler."""
    return [
        make_object(
            "Deployment",
            component,
            version="apps/v1",
            spec={
                "replicas": replicas,
                "revisionHistoryLimit": 5,
                "minReadySeconds": _NOTICED_S,
                "selector": {"matchLabels": make_labels(component)},
                "strategy": {
                    "type": "RollingUpdate",
                    "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
                },
                "template": pod,
            },
        ),
        make_object(
            "PodDisruptionBudget",
            component,
            version="policy/v1",
            spec={"maxUnavailable": 1, "selector": {"matchLabels": make_labels(component)}},
        ),
        make_object(
            "HorizontalPodAutoscaler",
            component,
            version="autoscaling/v2",
            spec={
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": component},
                "minReplicas": replicas,
                "maxReplicas": replicas * 4,
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {
                            "name": "cpu",
                            "target": {"type": "Utilization", "averageUtilization": 70},
                        },
                    }
                ],
            },
        ),
    ]


def allow(
    component: str,
    *,
    callers: Iterable[str],
    reached: Iterable[Manifest],
    port: int,
    further: Iterable[Manifest] = (),
) -> Manifest:
    """The network policy of a component: sources allowed on `port`, further ones, and allowed destinations."""
    peers = [{"podSelector": {"matchLabels": make_labels(caller)}} for caller in sorted(callers)]
    ingress = [{"from": peers, "ports": [{"port": port, "protocol": "TCP"}]}] if peers else []
    return make_object(
        "NetworkPolicy",
        component,
        version="networking.k8s.io/v1",
        spec={
            "podSelector": {"matchLabels": make_labels(component)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [*ingress, *further],
            "egress": [*reached, _reach_names()],
        },
    )


def admit_gateway(port: int) -> Manifest:
    """Ingress from the gateway on a port."""
    peer = {"podSelector": {"matchLabels": make_labels("gateway")}}
    return {"from": [peer], "ports": [{"port": port, "protocol": "TCP"}]}


def reach(components: Iterable[str], port: int) -> Manifest:
    """Egress to components of ours."""
    return {
        "to": [{"podSelector": {"matchLabels": make_labels(each)}} for each in sorted(components)],
        "ports": [{"port": port, "protocol": "TCP"}],
    }


def reach_labelled(labels: dict[str, str], port: int) -> Manifest:
    """Egress to pods of a chart or an operator, by its labels."""
    return {"to": [{"podSelector": {"matchLabels": labels}}], "ports": [{"port": port, "protocol": "TCP"}]}


def reach_anywhere(*ports: int) -> Manifest:
    """Egress to any address, on these ports alone."""
    return {"ports": [{"port": port, "protocol": "TCP"} for port in ports]}


def _reach_names() -> Manifest:
    return {
        "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}],
        "ports": [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")],
    }
