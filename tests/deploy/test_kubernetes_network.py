"""Who talks to whom: the network policies together, read as Kubernetes reads them."""

from __future__ import annotations

from itertools import permutations

from .manifest import PODS, Object, named, selects


def _peers(rule: Object, key: str) -> set[str]:
    """Pods of ours at the other end; a rule without peers is for all."""
    selectors = [peer["podSelector"] for peer in rule.get(key, [{"podSelector": {}}]) if "podSelector" in peer]
    return {name for name in PODS for selector in selectors if selects(selector, name)}


def _allowed(name: str, direction: str, peer: str) -> set[int] | None:
    """Ports that policies open for a pod in one direction; None when no policy closes any."""
    key = {"Ingress": "from", "Egress": "to"}[direction]
    policies = [one["spec"] for one in named("NetworkPolicy").values() if selects(one["spec"]["podSelector"], name)]
    if not any(direction in policy["policyTypes"] for policy in policies):
        return None
    rules = [rule for policy in policies for rule in policy.get(direction.lower(), ())]
    return {port["port"] for rule in rules if peer in _peers(rule, key) for port in rule["ports"]}


def test_workers_and_grading_talk_to_the_scheduler_only() -> None:
    talks = {}
    for source, target in permutations(PODS, 2):
        leaves, enters = _allowed(source, "Egress", target), _allowed(target, "Ingress", source)
        assert leaves is not None and enters is not None
        talks[source, target] = leaves & enters
    assert {pair: ports for pair, ports in talks.items() if ports} == {
        ("worker", "scheduler"): {8786},
        ("grade", "scheduler"): {8786},
        ("scheduler", "worker"): {8788},
    }


def test_nothing_but_grading_reaches_what_is_not_here() -> None:
    outside = {}
    for name, policy in named("NetworkPolicy").items():
        rules = [rule for rule in policy["spec"].get("egress", ()) if "podSelector" not in rule.get("to", [{}])[0]]
        outside |= {name: {port["port"] for rule in rules for port in rule["ports"]}} if rules else {}
    assert outside == {"grade": {53, 5432}}
