"""One question to an OpenAI-compatible endpoint: asked again while trouble may pass, given up in one line if not."""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Event
from typing import Any, NamedTuple, TypeVar

import httpx2
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError, InferenceTimeoutError, OfflineModeIsEnabled

from training.endpoint_teacher_ledger import Ledger
from training.endpoint_teacher_prompt import Messages
from zoo.registry.teachers import Endpoint
from zoo.runs import RunError

NO_KEY = "none"
"""Sent to servers that ask for no key. Without one, huggingface_hub would send them the user's own Hub token."""
PASSING = {408: "timeouts", 425: "busy", 429: "busy"}
WAYS_OUT = {
    400: "check model, response_format and passage_characters in the teacher's [endpoint]",
    401: "put a valid key in {key}",
    402: "the account behind {key} has no credit left",
    403: "the key in {key} may not use this model",
    404: "check the address in {url} (up to /v1) and model in the teacher's [endpoint]",
    413: "lower passage_characters in the teacher's [endpoint]",
    422: "check response_format, seed and temperature in the teacher's [endpoint]",
}


Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Reply(NamedTuple):
    """What came back for one question."""

    content: str | None
    finish_reason: str | None


class _Passing(Exception):  # noqa: N818 - it is no error until it has happened too often
    """Trouble that may pass: its cause for the ledger, its wording, and how long the server asks to wait."""

    def __init__(self, cause: str, wording: str, wait: float | None = None) -> None:
        super().__init__(wording)
        self.cause, self.wait = cause, wait


class EndpointClient:
    """Asks one model at one address; safe to share between threads."""

    def __init__(self, teacher: str, endpoint: Endpoint, schema: dict[str, Any], ledger: Ledger) -> None:
        """Read the address and the key from the environment.

        Args:
            teacher: Its id, for messages.
            endpoint: How it is asked.
            schema: JSON schema of an answer, for endpoints that hold to one.
            ledger: Where it is counted what is asked and answered.

        Raises:
            RunError: a variable is not set, or holds no http address.
        """
        self.endpoint, self.ledger = endpoint, ledger
        self._who = f"teacher '{teacher}', model '{endpoint.model}' at ${endpoint.base_url_variable}"
        self._stopped = Event()
        self._failure = ""
        url = _read_variable(
            teacher, endpoint.base_url_variable, "the endpoint's address, such as http://127.0.0.1:8000/v1"
        )
        if not url.startswith(("http://", "https://")):
            # huggingface_hub would take it for a model of the Hub, and send the texts there.
            raise RunError(f"{self._who}: the variable holds no http:// or https:// address; correct it")
        key = NO_KEY
        if endpoint.api_key_variable is not None:
            key = _read_variable(teacher, endpoint.api_key_variable, "the endpoint's key")
            if not (key.isascii() and key.isprintable()):
                raise RunError(f"teacher '{teacher}': ${endpoint.api_key_variable} holds no key a header can carry")
        for name in ("httpx2", "httpcore2"):
            logging.getLogger(name).setLevel(logging.WARNING)  # they log addresses
        self._client = InferenceClient(base_url=url, api_key=key, timeout=endpoint.timeout_seconds)
        self._format = _response_format(endpoint, schema)

    def ask(self, messages: Messages) -> Reply:
        """Return the reply to one conversation.

        Raises:
            RunError: the endpoint refuses for good, or every attempt failed.
        """
        wait = self.endpoint.first_wait_seconds
        for attempt in range(1, self.endpoint.attempts + 1):
            if self._stopped.is_set():
                break
            try:
                return self._ask_once(messages)
            except RunError as error:
                self._give_up(str(error))
            except _Passing as trouble:
                if attempt == self.endpoint.attempts:
                    cause = f"{attempt} attempts failed, the last by {trouble}"
                    way_out = "finished shards are kept; run the same command when it is well again"
                    self._give_up(f"{self._who}: {cause}; {way_out}")
                    break
                # Jitter, so that threads turned away together do not come back together.
                pause = trouble.wait if trouble.wait is not None else wait * random.uniform(0.75, 1.25)
                pause = min(pause, self.endpoint.longest_wait_seconds)
                self.ledger.add({"retries": 1, trouble.cause: 1, "waited": pause})
                self._stopped.wait(pause)
                wait *= 2
        raise RunError(self._failure or f"{self._who}: stopped; run the same command to go on")

    def ask_each(self, work: Callable[[Item], Answer], items: Sequence[Item]) -> list[Answer]:
        """Return `work` of each item, which asks; as many at once as the endpoint is given, in the items' order.

        Raises:
            RunError: one of them failed; the others are given up.
        """
        with ThreadPoolExecutor(self.endpoint.concurrency, thread_name_prefix="endpoint") as pool:
            futures = [pool.submit(work, item) for item in items]
            try:
                done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            finally:
                if any(not future.done() or future.exception() for future in futures):
                    self.stop()
                    pool.shutdown(wait=False, cancel_futures=True)
            for future in done:
                future.result()
        return [future.result() for future in futures]

    def _give_up(self, why: str) -> None:
        """Stop every thread; all of them fail for the first one's reason."""
        self._failure = self._failure or why
        self._stopped.set()

    def stop(self) -> None:
        """Let no thread wait or ask any more."""
        self._stopped.set()

    def _ask_once(self, messages: Messages) -> Reply:
        started, spent = time.monotonic(), {"requests": 1.0}
        try:
            return self._send(messages, spent)
        except (_Passing, RunError):
            spent["failed_requests"] = 1
            raise
        finally:
            self.ledger.add({**spent, "seconds": time.monotonic() - started})

    def _send(self, messages: Messages, spent: dict[str, float]) -> Reply:
        options = self.endpoint
        try:
            output = self._client.chat_completion(
                messages,  # type: ignore[arg-type]
                model=options.model,
                max_tokens=options.max_output_tokens,
                temperature=options.temperature,
                seed=options.seed,
                response_format=self._format,  # type: ignore[arg-type]
            )
        except OfflineModeIsEnabled:
            raise RunError(f"{self._who}: HF_HUB_OFFLINE forbids every request; unset it for this command") from None
        except HfHubHTTPError as error:
            raise self._judge_status(error) from None
        except (InferenceTimeoutError, httpx2.TimeoutException):
            raise _Passing("timeouts", f"no answer within {options.timeout_seconds:g} s") from None
        except (httpx2.UnsupportedProtocol, httpx2.InvalidURL):
            raise RunError(f"{self._who}: the variable holds no usable address; correct it") from None
        except httpx2.HTTPError as error:
            raise _Passing("connection_errors", f"a broken connection ({type(error).__name__})") from None
        except (ValueError, TypeError):
            raise _Passing("unreadable_replies", "a reply that is no chat completion") from None
        return _read_output(output, spent)

    def _judge_status(self, error: HfHubHTTPError) -> Exception:
        status = error.response.status_code
        if status >= 500 or status in PASSING:
            wait = read_retry_after(error.response.headers.get("retry-after"), datetime.now(UTC))
            return _Passing(PASSING.get(status, "server_errors"), f"HTTP {status}", wait)
        names = {"key": f"${self.endpoint.api_key_variable}", "url": f"${self.endpoint.base_url_variable}"}
        if self.endpoint.api_key_variable is None:
            names["key"] = "a variable, and name it as api_key_variable in the teacher's [endpoint]"
        way_out = WAYS_OUT.get(status, "ask whoever runs it").format(**names)
        return RunError(f"{self._who}: HTTP {status} {error.response.reason_phrase}".rstrip() + f"; {way_out}")


def _read_output(output: object, spent: dict[str, float]) -> Reply:
    choices = getattr(output, "choices", None)
    if not isinstance(choices, list) or not choices or getattr(choices[0], "message", None) is None:
        raise _Passing("unreadable_replies", "a reply that is no chat completion")
    usage = getattr(output, "usage", None)
    tokens = {name: getattr(usage, name, None) for name in ("prompt_tokens", "completion_tokens")}
    if all(isinstance(value, int) for value in tokens.values()):
        spent |= tokens  # type: ignore[arg-type]
    else:
        spent["unmetered_answers"] = 1
    spent["answers"] = 1
    message = choices[0].message
    refused = bool(getattr(message, "refusal", None))
    content = getattr(message, "content", None)
    reason = "content_filter" if refused else getattr(choices[0], "finish_reason", None)
    return Reply(content if isinstance(content, str) else None, reason)


def read_retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds a Retry-After header asks for, as a number or a date (RFC 9110, 10.2.3); None without."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value[:9])
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max((moment - now).total_seconds(), 0.0)


def _read_variable(teacher: str, name: str, what: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise RunError(f"teacher '{teacher}': ${name} is not set; put {what} there")
    return value


def _response_format(endpoint: Endpoint, schema: dict[str, Any]) -> dict | None:
    if endpoint.response_format == "text":
        return None
    if endpoint.response_format == "json_object":
        return {"type": "json_object"}
    (name,) = schema["properties"]
    return {"type": "json_schema", "json_schema": {"name": name, "schema": schema, "strict": True}}
