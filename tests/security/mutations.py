"""Does each attack test fail without its defence? `python -m tests.security.mutations [part of a name…]`.

Each mutation switches one defence off in a copy of the tree and runs the test that claims to guard it. A test that stays
green guards nothing: that is printed and the status is 1. Not part of `make test`, since it takes minutes.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
RPC = "tests/unit/common/test_rpc.py"
FETCHING = "tests/unit/catalog/test_catalog_fetching.py"
NATS = "tests/security/test_nats_users.py"
EDGES = "tests/contract/gateway/test_edges.py"


@dataclass(frozen=True)
class Mutation:
    """One defence switched off: `old` becomes `new` in `file`, and `test` must fail."""

    defence: str
    file: str
    old: str
    new: str
    test: str
    also: tuple[str, str] = ("", "")  # what stands twice is switched off twice
    limit_s: float = 300.0  # a test that does not end has failed


NETWORKS = "tests/contract/inventory/test_inventory_networks.py"
TOKENS, GUARD = "services/common/identity/tokens.py", "services/common/rpc/interceptors/authorization.py"
MUTATIONS = (
    Mutation("signature", TOKENS, 'options={"require": ["exp", "iat", "sub", "jti"]}',
        'options={"verify_signature": False, "verify_aud": True, "verify_iss": True, "verify_exp": True}',
        f"{RPC}::test_bad_tokens_are_refused"),
    Mutation("audience", TOKENS, "audience=AUDIENCE", 'audience=[AUDIENCE, "other"]', f"{RPC}::test_bad_tokens_are_refused"),
    Mutation("issuer", TOKENS, "issuer=ISSUER", 'issuer=[ISSUER, "other"]', f"{RPC}::test_bad_tokens_are_refused"),
    Mutation("expiry", TOKENS, 'options={"require": ["exp", "iat", "sub", "jti"]}',
        'options={"verify_exp": False}', f"{RPC}::test_bad_tokens_are_refused",
        ("        if caller.expires_at <= time.time():\n            raise", "        if False:\n            raise")),
    Mutation("refresh token as access token", TOKENS, 'claims.get("typ") != "access"', "False",
        f"{RPC}::test_bad_tokens_are_refused"),
    Mutation("audience of service tokens", TOKENS, "audience=self.service,",
        'audience=[self.service, "backups", "inventory", "apps", "auth", "catalog"],',
        f"{RPC}::test_internal_calls_need_the_right_service"),
    Mutation("revocations", TOKENS, "if self.revocations.is_revoked(caller):", "if False:",
        f"{RPC}::test_a_revoked_token_is_refused_at_once"),
    Mutation("administrators", GUARD, 'needed == "admin" and not caller.user.is_staff', "False",
        f"{RPC}::test_administrators_only"),
    Mutation("scopes", GUARD, 'needed not in scopes and not (needed == "read" and scopes)', "False",
        "tests/unit/auth/test_create_api_token.py::test_an_api_token_may_what_its_scopes_say_and_no_more"),
    Mutation("recent sign-in", GUARD, "if rule.recent_sign_in:", "if False:",
        "tests/unit/auth/test_refresh_token.py::test_a_refreshed_token_has_the_time_of_the_sign_in"),
    Mutation("time of the sign-in in refreshed tokens", "services/auth/store/sessions.py",
        "Authentication(session.authenticated_at or session.created_at,", "Authentication(now(),",
        "tests/unit/auth/test_refresh_token.py::test_a_refreshed_token_has_the_time_of_the_sign_in"),
    Mutation("origin of public writes", GUARD, "if rule.writes:  #", "if False:  #",
        "tests/unit/auth/test_login.py::test_a_foreign_page_neither_signs_in_nor_up_nor_refreshes_nor_signs_out"),
    Mutation("origin that a browser withholds", GUARD, "if not origin and site not in _FOREIGN_SITES:", "if not origin:",
        "tests/unit/auth/test_login.py::test_a_foreign_page_neither_signs_in_nor_up_nor_refreshes_nor_signs_out"),
    Mutation("names of cookies over https", "services/common/rpc/call.py",
        "_HTTPS_PREFIXES.get(name, '')}{name}\" if https else name", "''}{name}\"",
        "tests/unit/auth/test_domain.py::test_each_scheme_reads_the_cookies_of_its_own"),
    Mutation("credentials of stored answers", "services/common/rpc/interceptors/idempotency.py",
        "if caller.service or (caller.session and not user.is_staff):", "if True:",
        "tests/unit/auth/test_create_api_token.py::test_an_api_token_gets_no_answer_that_was_given_to_a_session"),
    Mutation("end of a token that a token makes", "services/auth/usecases/api_tokens.py",
        "elif latest is not None and wanted > latest:", "elif False:",
        "tests/unit/auth/test_create_api_token.py::test_an_api_token_makes_none_that_lives_longer"),
    Mutation("tokens that a token made", "services/auth/store/api_tokens.py",
        "end_api_tokens(connection, _find_family(connection, token_id), moment=moment)",
        "end_api_tokens(connection, [token_id], moment=moment)",
        "tests/unit/auth/test_delete_api_token.py::test_what_an_api_token_made_ends_with_it"),
    Mutation("administrators that a token makes", "services/auth/domain/roles.py",
        "    if issuer.authenticated_at is None:", "    if False:",
        "tests/unit/auth/test_update_user.py::test_an_api_token_makes_and_unmakes_no_administrator"),
    Mutation("secret values shown by a flag", "services/apps/usecases/update_app.py",
        "if disclosed := list_disclosed(app, changes):", "if disclosed := []:",
        "tests/store/test_app_values.py::test_a_secret_value_is_shown_only_after_a_recent_sign_in"),
    Mutation("masks instead of values", "services/apps/domain/deployment.py", "    refuse_masks(new.environment)\n", "",
        "tests/store/test_app_values.py::test_a_deployment_does_not_take_a_mask_for_a_value"),
    Mutation("API tokens end with the password", "services/auth/store/accounts.py", "if not keep_api_tokens:", "if False:",
        "tests/unit/auth/test_change_password.py::test_a_new_password_ends_api_tokens_unless_they_are_to_go_on"),
    Mutation("limit of anonymous entries", "services/common/rpc/interceptors/audit.py",
        "if is_anonymous and not", "if False and not",
        "tests/unit/common/test_audit.py::test_calls_beyond_the_limit_of_an_address_become_one_entry_that_counts_them"),
    Mutation("beginning of a pruned audit log", "services/auth/store/audit.py",
        "            await self._check_pruning(number, digest)\n", "            pass\n",
        "tests/store/test_auth_chain.py::test_entries_removed_by_hand_are_found_behind_a_pruning"),
    Mutation("repetitions of refresh tokens end", "services/auth/store/sessions.py",
        "token.sealed_successor is None or token.used_at <= moment - REPETITION_TTL", "token.sealed_successor is None",
        "tests/store/test_auth_sessions.py::test_a_refresh_token_used_again_after_half_a_minute_ends_the_family"),
    Mutation("callers of internal RPCs", GUARD, "caller.service not in rule.callers", "not caller.service",
        f"{RPC}::test_internal_calls_need_the_right_service"),
    Mutation("CSRF token", GUARD, "if not cookie or not hmac.compare_digest(cookie.encode(), sent.encode()):",
        "if False:", f"{RPC}::test_writes_with_a_cookie_need_the_csrf_token"),
    Mutation("foreign origin", GUARD, "origin in self._origins or _find_host(origin) == host.lower()", "True",
        f"{RPC}::test_writes_with_a_cookie_need_the_csrf_token"),
    Mutation("faults say nothing", "services/common/rpc/handlers.py",
        'f"internal error; the log has more under {trace_id}"', "str(error)",
        "tests/unit/common/test_rpc_answers.py::test_a_fault_of_ours_says_nothing_about_itself"),
    Mutation("certificate fits token", "services/common/rpc/server_context.py",
        "self.by_certificate and call.peer_name != wanted", "False",
        "tests/security/test_mutual_tls.py::test_a_service_speaks_with_its_own_certificate_only"),
    Mutation("only the gateway speaks for users", "services/common/rpc/server_context.py",
        "call.caller.service or GATEWAY", "call.caller.service or call.peer_name",
        "tests/security/test_mutual_tls.py::test_only_the_gateway_speaks_for_users_and_says_where_they_are"),
    Mutation("processes that may forward", "services/common/rpc/server_context.py",
        "return any(address.version", "return True or any(address.version",
        "tests/security/test_fuzzing.py::test_only_addresses_of_the_gateway_s_networks_are_gateways"),
    Mutation("seal bound to its place", "services/common/identity/keys.py", "place.encode()", 'b""',
        "tests/unit/common/test_sealing.py::test_a_secret_opens_in_its_place_only"),
    Mutation("refresh token used twice", "services/auth/store/sessions.py",
        "ended = end_families(connection, sessions.c.family == session.family, moment=moment)", "ended: list[Revocation] = []",
        "tests/unit/auth/test_refresh_token.py::test_a_refresh_token_used_twice_ends_the_session_at_once"),
    Mutation("refresh race", "services/auth/store/sessions.py", "refresh_tokens.c.used_at.is_(None),", "",
        "tests/store/test_auth_sessions.py::test_of_many_refreshes_with_one_token_all_get_the_same_successor"),
    Mutation("limit of sign-ins", "services/auth/usecases/sign_in.py", "    if blocked_until is not None:", "    if False:",
        "tests/unit/auth/test_login.py::test_failures_make_the_next_attempt_wait_even_with_the_right_password"),
    Mutation("guesses at once", "services/auth/usecases/sign_in.py",
        "            await deps.attempts.note(limited)\n    return account", "            pass\n    return account",
        "tests/unit/auth/test_login.py::test_guesses_sent_at_once_are_limited_like_those_sent_one_by_one"),
    Mutation("other sessions end", "services/auth/store/accounts.py",
        "(sessions.c.family != keep_session)", "(sessions.c.family == keep_session)",
        "tests/unit/auth/test_change_password.py::test_a_new_password_ends_the_other_sessions_and_not_this_one"),
    Mutation("common passwords", "services/auth/domain/passwords.py", "if _is_common(password):", "if False:",
        "tests/unit/auth/test_domain.py::test_a_bad_password_is_refused_and_not_repeated"),
    Mutation("unknown users", "services/auth/usecases/sign_in.py",
        'raise SignInFailedError("Wrong username or password")', 'raise SignInFailedError(f"no {username}")',
        "tests/unit/auth/test_login.py::test_a_wrong_password_and_an_unknown_user_look_the_same"),
    Mutation("audit entry in its transaction", "services/auth/store/audit.py",
        "    if promised is None:", "    if promised is not None:",
        "tests/unit/auth/test_direct_audit.py::test_what_a_call_changes_and_its_audit_entry_commit_together"),
    Mutation("audit chain", "services/auth/domain/audit.py", "        entry.outcome,\n", "",
        "tests/unit/auth/test_domain.py::test_a_changed_entry_breaks_the_chain"),
    Mutation("addresses of sources", "services/catalog/sources/pinned_connection.py",
        "    return parsed.is_global and not parsed.is_multicast", "    return True",
        f"{FETCHING}::test_addresses_of_this_machine_and_network_are_not_public"),
    Mutation("every address of a source", "services/catalog/sources/fetcher.py", "if not self.may_connect(address):",
        "if not self.may_connect(addresses[-1]):", f"{FETCHING}::test_a_host_with_any_private_address_is_refused"),
    Mutation("folders of sources", "services/catalog/sources/fetcher.py",
        "not any(path.is_relative_to(root.resolve()) for root in self.roots)", "False",
        f"{FETCHING}::test_paths_outside_the_roots_are_refused"),
    Mutation("archive bombs", "services/catalog/sources/source_files.py",
        "total > limits.total_bytes or len(collected) >= limits.files", "False",
        "tests/unit/catalog/test_source_archives.py::test_a_tar_bomb_and_too_many_files_are_refused"),
    Mutation("YAML bombs", "services/catalog/domain/item_files/document.py", "self._count(anchor.nodes)", "pass",
        "tests/security/test_fuzzing_definitions.py::test_bombs_in_yaml_are_refused_at_once", limit_s=60.0),
    Mutation("needs of the host", "services/catalog/domain/renderer/host_needs.py",
        "yield from _list_setting_needs(name, service)", "yield from ()",
        "tests/security/test_host_needs.py::test_what_reaches_out_of_the_container_counts_as_a_need_of_the_host"),
    Mutation("options of net0", "services/inventory/proxmox/creation_options.py",
        '_check_part("network_cidr", wanted.network_cidr)', "wanted.network_cidr",
        "tests/security/test_fuzzing.py::test_net0_has_one_address_and_no_more_options_than_ours"),
    Mutation("scopes of addresses", "services/common/core/text.py", ' and "%" not in value', "",
        "tests/security/test_input_attacks.py::test_an_address_cannot_bring_options_of_the_network_with_it"),
    Mutation("quotas", "services/apps/domain/quotas.py", "    for name, limit in vars(quota).items():",
        "    for name, limit in {}.items():", "tests/security/test_limits.py::test_each_limit_refuses_by_name"),
    Mutation("containers of strangers", "services/inventory/proxmox/marks.py", "if found == owner and owner:", "if True:",
        "tests/contract/inventory/test_inventory_lifecycle.py::test_a_strangers_container_is_never_touched"),
    Mutation("networks of adopted containers", "services/inventory/usecases/power.py",
        "if await containers.vmids.is_copy(host_id, owner):", "if True:",
        f"{NETWORKS}::test_the_links_of_an_adopted_container_are_never_changed"),
    Mutation("isolation of restore tests", "services/inventory/domain/restore_tests.py",
        'link |= {"bridge": options.get("bridge", "vmbr0"), "link_down": "1"}', "link |= options",
        "tests/contract/inventory/test_restore_test_container.py::"
        "test_the_container_of_a_test_has_nothing_of_the_original_but_its_data"),
    Mutation("addresses of strangers", "services/inventory/proxmox/networks.py",
        "for one in list_conflicts(address, occupants):", "for one in list_conflicts(address, []):",
        f"{NETWORKS}::test_addresses_of_strangers_count_as_taken"),
    Mutation("secrets for another SSH address", "services/inventory/domain/patches.py",
        ', "ssh_addresses")', ")",
        "tests/contract/inventory/test_inventory_ssh.py::test_an_administrator_sets_addresses_that_lead_there"),
    Mutation("pinned certificates", "services/inventory/proxmox/session.py",
        '        kwargs["assert_fingerprint"] = self._fingerprint\n', "",
        "tests/contract/inventory/test_test_host.py::test_a_certificate_that_nobody_verifies_is_pinned_at_first_sight"),
    Mutation("writes that may have run", "services/inventory/proxmox/session.py",
        '        return "ingerprint" in str(reason) or any(', "        return True or any(",
        "tests/unit/inventory/test_inventory_client.py::"
        "test_a_write_whose_connection_breaks_after_it_was_sent_is_never_sent_again"),
    Mutation("weak SECRET_KEY", "services/common/core/config.py", "fault := find_weak_secret(self.secret_key)", "fault := ''",
        "tests/security/test_production.py::test_what_is_weak_is_refused_by_name_and_never_shown"),
    Mutation("forged headers", "gateway/connections.py",
        '"early_header_mutation_extensions": [_render_header_removal(settings)],', "",
        f"{EDGES}::test_forged_headers_do_not_arrive"),
    Mutation("hidden slashes", "gateway/connections.py", '"REJECT_REQUEST",\n        "early', '"KEEP_UNCHANGED",\n        "early',
        f"{EDGES}::test_hidden_slashes_are_refused"),
    Mutation("body against path", "gateway/filters.py",
        '"reject_binding_body_field_collisions": True', '"reject_binding_body_field_collisions": False',
        "tests/security/test_path_attacks.py::test_a_body_does_not_overrule_its_path"),
    Mutation("owner in the SQL", "services/apps/store/lookups.py",
        'params = {"id": app_id} if owner is None else {"id": app_id, "owner": owner}\n        rows = await self._db.fetch(_version_query(owner is not None), params)',
        'rows = await self._db.fetch(_version_query(False), {"id": app_id})',
        "tests/security/test_access_matrix.py::test_every_rpc_admits_whom_it_declares_and_nobody_else"),
    Mutation("quoting for the node's shell", "services/inventory/proxmox/ssh.py", "shlex.join(argv)", '" ".join(argv)',
        "tests/security/test_input_attacks.py::test_nothing_that_users_write_is_interpreted_by_a_shell"),
    Mutation("messages of others", "deploy/nats/access.py", 'f"events.{service}.>",', '"events.>",',
        f"{NATS}::test_a_process_publishes_nothing_in_the_name_of_another"),
    Mutation("replies of others", "deploy/nats/access.py", 'f"_INBOX.{process}.>"', '"_INBOX.>"',
        f"{NATS}::test_a_process_reads_no_consumer_and_no_reply_of_another"),
    Mutation("forged revocations", "services/clients/auth/verification.py",
        "if not 0 <= cutoff <= latest:", "if False:",
        "tests/store/test_revocation_feed.py::test_forged_revocations_are_reported_and_change_nothing"),
    Mutation("forged reports", "services/auth/jobs/audit_log.py",
        'subject != AUDIT_RECORDED and subject != f"{AUDIT_RECORDED}.{action[1]}"', "False",
        "tests/unit/auth/test_audit_reports.py::test_what_is_no_report_of_that_service_is_refused"),
    Mutation("withheld messages", "gateway/routes.py", "if method.client_streaming:", "if True:",
        "tests/contract/gateway/test_withheld.py::test_no_call_reaches_a_service_before_its_message_is_complete"),
    Mutation("calls of an address", "services/common/rpc/server_context.py",
        "if self._open[principal] >= limit:", "if False:",
        "tests/security/test_limits.py::test_an_address_has_a_limited_number_of_calls_under_way"),
    Mutation("modes of the state", "deploy/local/state.py", "        make_private(state)\n", "",
        "tests/unit/deploy/test_deploy_state.py::"
        "test_what_others_could_read_in_an_existing_directory_is_this_account_s_alone"),
)  # fmt: skip


def main(wanted: list[str]) -> int:
    """Try the mutations whose names contain one of `wanted`, or all."""
    chosen = [one for one in MUTATIONS if not wanted or any(part in one.defence for part in wanted)]
    with tempfile.TemporaryDirectory(prefix="proximity-mutations-") as folder:
        tree = Path(folder)
        _copy_tree(tree)
        survived = [one for one in chosen if not _try(tree, one)]
    for one in survived:
        print(f"SURVIVED: {one.defence}: {one.test} does not fail without it")
    print(f"{len(chosen) - len(survived)} of {len(chosen)} tests fail without their defence")
    return 1 if survived else 0


def _copy_tree(target: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def _try(tree: Path, one: Mutation) -> bool:
    """Whether the test fails, rather than breaks, with the defence switched off."""
    file, began = tree / one.file, time.monotonic()
    text = file.read_text(encoding="utf-8")
    for old in filter(None, (one.old, one.also[0])):
        if old not in text:
            raise LookupError(f"{one.defence}: {one.file} has no {old!r} any more; this list has to follow")
    changed = text.replace(one.old, one.new)
    file.write_text(changed.replace(*one.also) if one.also[0] else changed, encoding="utf-8")
    try:
        said = _run_test(tree, one)
    finally:
        file.write_text(text, encoding="utf-8")
    is_red = bool(re.search(r"^\d+ failed", said, re.MULTILINE))
    print(f"{'red ' if is_red else 'GREEN'} {time.monotonic() - began:5.0f} s  {one.defence}", flush=True)
    if not is_red:
        print(said[-1500:], flush=True)
    return is_red


def _run_test(tree: Path, one: Mutation) -> str:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "--tb=short", one.test]
    try:
        done = subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=one.limit_s)
    except subprocess.TimeoutExpired:
        return f"1 failed: it did not end within {one.limit_s:.0f} s"
    return done.stdout + done.stderr


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
