import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bowerbird.errors import InvalidInput, LLMError
from bowerbird.llms import openai as module
from bowerbird.llms.openai import OpenAILLM
from bowerbird.ports import Prompt
from bowerbird.testing.llm_suite import LLMSuite
from bowerbird.types import Message

KEY = "sk-very-secret-123"
USAGE = {"prompt_tokens": 10, "completion_tokens": 5}


def said(text, finish="stop", usage=USAGE):
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}], "usage": usage}


def piece(text, finish=None):
    return {"id": "1", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}


class Endpoint:
    """A real HTTP server whose next answers are functions of (handler, body); the last one stays."""

    def __init__(self):
        self.script, self.bodies, self.headers, self.paths = [behave], [], [], []
        self.busy = self.most_busy = 0
        lock, outer = threading.Lock(), self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with lock:
                    outer.bodies.append(body)
                    outer.headers.append(dict(self.headers))
                    outer.paths.append(self.path)
                    answer = outer.script.pop(0) if len(outer.script) > 1 else outer.script[0]
                    outer.busy += 1
                    outer.most_busy = max(outer.busy, outer.most_busy)
                try:
                    answer(self, body)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True
                finally:
                    with lock:
                        outer.busy -= 1

            def log_message(self, *args):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, request, client_address):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


def reply(value, status=200, headers=()):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()

    def answer(handler, body):
        handler.send_response(status)
        for name, content in headers:
            handler.send_header(name, content)
        handler.send_header("content-type", "application/json")
        handler.send_header("content-length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def events(*chunks, done=True, pause=0.0):
    def answer(handler, body):
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.send_header("connection", "close")
        handler.end_headers()
        handler.close_connection = True
        for chunk in chunks:
            data = chunk if isinstance(chunk, str) else json.dumps(chunk)
            handler.wfile.write(f"data: {data}\n\n".encode())
            handler.wfile.flush()
            time.sleep(pause)
        if done:
            handler.wfile.write(b"data: [DONE]\n\n")

    return answer


def slow(seconds, then):
    def answer(handler, body):
        time.sleep(seconds)
        then(handler, body)

    return answer


def hang_up(handler, body):
    handler.close_connection = True
    handler.connection.close()


def cut_in_half(handler, body):
    handler.send_response(200)
    handler.send_header("content-length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.close_connection = True


def drip(handler, body):
    handler.send_response(200)
    handler.send_header("content-length", "1000")
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)


def behave(handler, body):
    """A model in miniature: it repeats the last message, knows stop strings and max_tokens, and streams."""
    words = ("I heard " + body["messages"][-1]["content"]).split(" ")
    text = " ".join(words[: body["max_tokens"]])
    for mark in body.get("stop", ()):
        text = text.split(mark)[0]
    finish = "stop" if text == " ".join(words) or body.get("stop") else "length"
    if body.get("stream"):
        events(*[piece(part) for part in text], piece("", finish))(handler, body)
    else:
        used = {"prompt_tokens": len(words), "completion_tokens": len(text.split(" "))}
        reply(said(text, finish, used))(handler, body)


@pytest.fixture
def endpoint(monkeypatch):
    monkeypatch.setattr(module, "_FIRST_PAUSE", 0.01)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    endpoint = Endpoint()
    yield endpoint
    endpoint.server.shutdown()
    endpoint.server.server_close()


@pytest.fixture
def make(endpoint):
    made = []

    def build(*script, timeout=5.0, retries=2, api_key=KEY, price_in=0.0, price_out=0.0, max_concurrency=8):
        endpoint.script = list(script) or [behave]
        made.append(
            OpenAILLM(
                "tiny",
                base_url=endpoint.url,
                api_key=api_key,
                timeout=timeout,
                retries=retries,
                price_in=price_in,
                price_out=price_out,
                max_concurrency=max_concurrency,
            )
        )
        return made[-1]

    yield build
    for llm in made:
        llm._client.close()


ASK = [Prompt(messages=(Message("system", "Be short."), Message("user", "What is blue?")))]


class TestConformance(LLMSuite):
    @pytest.fixture
    def llm(self, make):
        return make()


def test_sends_what_the_api_wants_and_counts_cost(make, endpoint):
    llm = make(reply(said("the bower")), price_in=1.0, price_out=4.0)
    done = llm.complete(ASK, max_tokens=7, temperature=0.5, stop=["\n"], seed=3)[0]
    assert (done.text, done.prompt_tokens, done.completion_tokens, done.finish) == ("the bower", 10, 5, "stop")
    assert done.cost == pytest.approx((10 * 1 + 5 * 4) / 1e6)
    body = endpoint.bodies[0]
    assert body["messages"] == [{"role": "system", "content": "Be short."}, {"role": "user", "content": "What is blue?"}]
    assert (body["model"], body["max_tokens"], body["temperature"], body["stop"], body["seed"]) == ("tiny", 7, 0.5, ["\n"], 3)
    assert endpoint.paths == ["/v1/chat/completions"]
    assert {name.lower(): value for name, value in endpoint.headers[0].items()}["authorization"] == f"Bearer {KEY}"


def test_missing_usage_is_estimated(make):
    done = make(reply({"choices": [{"message": {"content": "two words"}}]})).complete(ASK, max_tokens=5)[0]
    assert (done.prompt_tokens, done.completion_tokens) == (7, 2)


def test_prompts_run_side_by_side_but_not_too_many(make, endpoint):
    llm = make(slow(0.1, behave), max_concurrency=4)
    began = time.perf_counter()
    done = llm.complete([Prompt(text=f"number {n}") for n in range(12)], max_tokens=9)
    assert [one.text for one in done] == [f"I heard number {n}" for n in range(12)]
    assert 2 <= endpoint.most_busy <= 4
    assert time.perf_counter() - began < 12 * 0.1


@pytest.mark.parametrize(
    "bad",
    [
        reply({"error": {"message": "overloaded"}}, 500),
        reply({"error": {"message": "slow down"}}, 429, [("retry-after", "0.01")]),
        reply(b"<html>hello</html>"),
        reply({"choices": []}),
        reply([1, 2]),
        reply(said(None)),
        reply({"choices": [{"message": "hm"}]}),
        hang_up,
        cut_in_half,
    ],
    ids=["500", "429", "html", "no choices", "a list", "null content", "odd message", "hang up", "half"],
)
def test_what_may_pass_is_tried_again(make, endpoint, bad):
    assert make(bad, bad, behave).complete(ASK, max_tokens=9)[0].text == "I heard What is blue?"
    assert len(endpoint.bodies) == 3


@pytest.mark.parametrize(
    ("bad", "words", "requests"),
    [
        (reply({"error": {"message": f"Incorrect API key provided: {KEY}"}}, 401), "401: Incorrect.*OPENAI_API_KEY", 1),
        (reply({"error": {"message": "no model 'tiny'"}}, 404), "404: no model.*model's name", 1),
        (reply({"error": {"message": "too long"}}, 400), "400: too long.*context window", 1),
        (reply({"error": {"message": "slow down"}}, 429), r"429: slow down \(3 tries\).*max_concurrency", 3),
        (reply(b"boom", 503), r"503.*\(3 tries\)", 3),
        (reply(b"<html>hello</html>"), "no chat completion: <html>.*where the API begins", 3),
        (hang_up, "cannot be reached, or broke off", 3),
    ],
    ids=["401", "404", "400", "429", "503", "html", "hang up"],
)
def test_errors_say_where_and_what_to_do_and_keep_the_key(make, endpoint, bad, words, requests):
    llm = make(bad)
    with pytest.raises(LLMError, match=words) as raised:
        llm.complete(ASK, max_tokens=5)
    assert "127.0.0.1" in str(raised.value)
    assert KEY not in str(raised.value) + repr(llm)
    assert len(endpoint.bodies) == requests


@pytest.mark.parametrize("late", [slow(3.0, behave), drip], ids=["silent", "dripping"])
def test_a_slow_endpoint_takes_no_longer_than_it_may(make, late):
    llm = make(late, timeout=0.3, retries=1)
    began = time.perf_counter()
    with pytest.raises(LLMError, match=r"no whole answer within 0.3 s \(2 tries\)"):
        llm.complete(ASK, max_tokens=5)
    assert time.perf_counter() - began < 1.5


def test_nobody_listens(make, endpoint):
    llm = OpenAILLM("tiny", base_url="http://user:hush@127.0.0.1:9/v1?token=hush2", retries=1, timeout=2)
    with pytest.raises(LLMError, match=r"http://127.0.0.1:9/v1 cannot be reached.*Is it running") as raised:
        llm.complete(ASK, max_tokens=5)
    assert "hush" not in str(raised.value) + repr(llm)
    llm._client.close()


def test_one_failure_fails_the_call_and_the_rest_is_not_sent(make, endpoint):
    llm = make(reply({"error": {"message": "no"}}, 401), max_concurrency=1)
    with pytest.raises(LLMError):
        llm.complete(ASK * 20, max_tokens=5)
    assert len(endpoint.bodies) <= 2


def test_stream(make, endpoint):
    llm = make(events(piece("Hel"), piece("lo"), {"choices": []}, piece("", "stop")))
    assert list(llm.stream(ASK[0], max_tokens=5)) == ["Hel", "lo"]
    assert endpoint.bodies[0]["stream"] is True


def test_a_stream_tries_again_only_before_its_first_piece(make, endpoint):
    llm = make(reply(b"", 500), events(piece("a"), piece("b", "stop")))
    assert list(llm.stream(ASK[0], max_tokens=5)) == ["a", "b"]
    assert len(endpoint.bodies) == 2


@pytest.mark.parametrize(
    "broken",
    [
        events(piece("a"), done=False),
        events(piece("a"), "{not json"),
        events(piece("a"), {"error": {"message": "out of memory"}}),
        events(piece("a"), {"choices": 5}),
    ],
    ids=["no end", "garbage", "error", "odd"],
)
def test_a_stream_that_breaks_off_says_so(make, endpoint, broken):
    pieces = make(broken).stream(ASK[0], max_tokens=5)
    assert next(pieces) == "a"
    with pytest.raises(LLMError, match="in the middle of an answer"):
        next(pieces)
    assert len(endpoint.bodies) == 1


def test_a_stream_that_stalls(make):
    llm = make(events(piece("a"), piece("b"), pause=1.0), timeout=0.3)
    with pytest.raises(LLMError, match="no whole answer within"):
        list(llm.stream(ASK[0], max_tokens=5))


def test_adapts_to_renamed_and_refused_parameters_and_remembers(make, endpoint):
    def picky(handler, body):
        if "max_tokens" in body:
            reply({"error": {"message": "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."}}, 400)(handler, body)
        elif "temperature" in body:
            reply({"error": {"message": "Unsupported value: 'temperature' does not support 0."}}, 400)(handler, body)
        else:
            reply(said("fine"))(handler, body)

    llm = make(picky, retries=0)
    assert [llm.complete(ASK, max_tokens=5)[0].text for _ in range(2)] == ["fine", "fine"]
    assert len(endpoint.bodies) == 4
    assert endpoint.bodies[-1]["max_completion_tokens"] == 5


def test_keys_and_addresses(endpoint, monkeypatch):
    with pytest.raises(InvalidInput, match="OPENAI_API_KEY"):
        OpenAILLM("gpt-x")
    with pytest.raises(InvalidInput, match="http"):
        OpenAILLM("gpt-x", base_url="localhost:80")
    with pytest.raises(InvalidInput, match="retries"):
        OpenAILLM("gpt-x", base_url=endpoint.url, retries=-1)
    monkeypatch.setenv("OPENAI_API_KEY", "from-env")
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint.url)
    llm = OpenAILLM("gpt-x")
    llm.complete(ASK, max_tokens=4)
    assert "Bearer from-env" in endpoint.headers[0].values()
    llm._client.close()
    monkeypatch.delenv("OPENAI_API_KEY")
    llm = OpenAILLM("gpt-x")
    assert llm.complete(ASK, max_tokens=4)[0].text
    assert llm.counter.name == "estimate"
    llm._client.close()
