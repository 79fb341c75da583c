"""What the gateway's own client does, and the test that shows that this one does it, too."""

from __future__ import annotations

SESSION = "unit/protocol/test_session.py::"
HANDSHAKE = "unit/protocol/test_handshake.py::"
ENDPOINT = "unit/protocol/test_endpoint.py::"
AUTH = "unit/protocol/test_auth.py::"
LIVING = "faults/test_living.py::"
BAD = "faults/test_bad_servers.py::"
ADMISSION = "contract/test_admission.py::"
CALLS = "contract/test_calls.py::"

BEHAVIOURS = {
    "start: default url ws://127.0.0.1:18789": "unit/client/test_options.py::test_defaults",
    "start: a fingerprint needs wss": ENDPOINT + "test_a_pin_needs_tls_and_earns_trust",
    "start: plain ws to other hosts is refused before a socket opens": BAD + "test_a_refused_url_opens_no_socket",
    "start: private ranges by OPENCLAW_ALLOW_INSECURE_PRIVATE_WS": (ENDPOINT + "test_private_ranges_need_the_variable"),
    "start: frames up to 25 MiB": BAD + "test_a_huge_frame_later",
    "start: pin replaces the certificate chain": BAD + "test_a_pin",
    "open: pin is checked, mismatch closes": BAD + "test_a_wrong_pin_sends_nothing",
    "options: identity null is none, else loaded or made": "unit/client/test_options.py::test_device_identities",
    "options: request timeout default 30 s": "unit/client/test_options.py::test_defaults",
    "options: challenge timeout clamped": "unit/client/test_options.py::test_clamps",
    "options: tick watch interval clamped": "unit/client/test_options.py::test_clamps",
    "challenge: nonce is answered with connect": SESSION + "test_the_handshake",
    "challenge: missing nonce closes 1008": SESSION + "test_a_challenge_without_nonce",
    "challenge: timeout names waited and limit, closes 1008": SESSION + "test_no_challenge_in_time",
    "challenge: answered once": SESSION + "test_a_second_challenge_is_dropped",
    "connect: role, scopes, caps, commands, permissions, pathEnv, client": HANDSHAKE + "test_every_field",
    "connect: absent fields are left out": HANDSHAKE + "test_absent_fields_are_left_out",
    "connect: v3 payload is signed": HANDSHAKE + "test_the_signed_payload",
    "connect: the gateway verifies the signature": ADMISSION + "test_signature",
    "selectConnectAuth": AUTH + "test_select",
    "resolveConnectScopes": AUTH + "test_select",
    "loadStoredDeviceAuth": ADMISSION + "test_device_token",
    "hello-ok: device token is stored with its scopes": ADMISSION + "test_device_token",
    "hello-ok: tick interval, default 30 s": SESSION + "test_a_sparse_hello_gets_defaults",
    "hello-ok: onHelloOk": LIVING + "test_callbacks_that_raise",
    "connect failed: detail code, error, close 1008": SESSION + "test_a_refused_connect",
    "connect failed: one retry with the stored device token": ADMISSION
    + "test_wrong_token_falls_back_to_the_device_token",
    "connect failed: shouldRetryWithStoredDeviceToken": AUTH + "test_recover",
    "connect failed: isTrustedDeviceRetryEndpoint": ENDPOINT + "test_a_pin_needs_tls_and_earns_trust",
    "connect failed: shouldPauseReconnectAfterAuthFailure": AUTH + "test_recover",
    "connect failed: a pairing with pauseReconnect false, or wait_then_retry, is tried again": (
        "faults/test_verdict.py::test_an_approval_under_way"
    ),
    "connect failed: a pause ends by the user": LIVING + "test_a_pause",
    "close: stored device token is cleared on mismatch": ADMISSION + "test_refused_device_token_is_forgotten",
    "close: cleared only without token and password": AUTH + "test_forgets_stored_token",
    "close: a failing clear is logged, not raised": LIVING + "test_token_files_that_cannot_be_used",
    "close: every request fails with code and reason": SESSION + "test_the_end_fails_every_request",
    "close: reconnect, onClose": LIVING + "test_silence",
    "close: hints of close codes": "unit/protocol/test_small.py::test_close_codes",
    "error before connect: onConnectError": ADMISSION + "test_wrong_token_falls_back_to_the_device_token",
    "backoff 1 s doubling to 30 s": "unit/protocol/test_small.py::test_backoff",
    "event: onEvent, and seq gaps by onGap": LIVING + "test_callbacks_that_raise",
    "event: gap of expected and received": SESSION + "test_gaps",
    "frames: bad JSON and wrong shapes are dropped": SESSION + "test_malformed_frames_are_dropped",
    "response: unknown id is dropped": SESSION + "test_a_request_and_its_answer",
    "response: accepted is not final": SESSION + "test_accepted_is_not_final",
    "response: error with code, details, retryable, retryAfterMs": SESSION + "test_an_error_answer",
    "request: not connected": SESSION + "test_requests_wait_for_hello",
    "request: validated before it is sent": SESSION + "test_params_that_are_not_json",
    "request: timeout, and none": SESSION + "test_a_request_times_out",
    "request: timers are clamped": SESSION + "test_timers_are_clamped",
    "request: expect final has no limit": CALLS + "test_two_phases",
    "tick watch: silence closes 4000": SESSION + "test_silence_is_noticed",
    "tick watch: any frame is a sign of life": SESSION + "test_any_frame_is_a_sign_of_life",
    "tick watch: pending requests": SESSION + "test_requests_with_deadlines_speak_for_themselves",
    "tick watch: interval at least the minimum": SESSION + "test_the_watchdog_looks_no_more_often_than_it_should",
    "stop: every request fails, close frame": SESSION + "test_stop",
    "stop: 250 ms of grace, then the line is cut": BAD + "test_a_server_that_does_not_close",
    "stopAndWait gives up with its own error": "faults/test_stop.py::test_stop_gives_up",
}
