"""The official `openai` Python client, unmodified, against a Nervure gateway.

    python3 openai_client.py --base-url http://127.0.0.1:PORT/v1 [--api-key KEY] [--model NAME] [--capability PATH]

The base URL can also stand in OPENAI_BASE_URL. Without --model, the first model of the list is asked; without
--capability, the capability text.generate. With --mock, also asks the names at which the mock of the gateway's own
tests misbehaves. Prints one line per check and `ok: all N checks` at the end; exits 1 at the first that fails.
Where the package is not installed it prints SKIPPED and exits 0.
"""

import argparse
import os
import sys

try:
    import openai
except ImportError:
    print("SKIPPED: the Python package 'openai' is not installed here (python3 -m pip install openai)")
    sys.exit(0)

CHECKS = []


def check(function):
    """Registers a check that every gateway must pass."""
    CHECKS.append((function, (True, False)))
    return function


def mock_only(function):
    """Registers a check that needs the mock's misbehaving models."""
    CHECKS.append((function, (True,)))
    return function


def real_only(function):
    """Registers a check that needs a mesh behind the gateway."""
    CHECKS.append((function, (False,)))
    return function


def expect(error, call):
    """The error of type `error` that `call` raises."""
    try:
        call()
    except error as raised:
        return raised
    raise AssertionError(f"no {error.__name__} was raised")


def messages(text="Say something."):
    return [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]


@check
def models_are_listed_and_found(client, args):
    models = list(client.models.list())
    assert models, "no models"
    assert client.models.retrieve(models[0].id).id == models[0].id
    expect(openai.NotFoundError, lambda: client.models.retrieve("no-such-model"))


@check
def a_chat_whole(client, args):
    chat = client.chat.completions.create(model=args.model, messages=messages(), max_tokens=24, temperature=0)
    assert chat.object == "chat.completion" and chat.choices[0].message.role == "assistant"
    assert chat.choices[0].message.content
    assert chat.choices[0].finish_reason in ("stop", "length")
    assert chat.usage.total_tokens == chat.usage.prompt_tokens + chat.usage.completion_tokens


@check
def a_chat_as_a_stream(client, args):
    chunks = list(
        client.chat.completions.create(
            model=args.model, messages=messages(), max_tokens=24, stream=True, stream_options={"include_usage": True}
        )
    )
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert chunks[0].choices[0].delta.role == "assistant"
    reasons = [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason]
    assert len(reasons) == 1 and reasons[0] in ("stop", "length"), reasons
    assert chunks[-1].usage.completion_tokens > 0 and not chunks[-1].choices


@check
def a_completion_whole_and_as_a_stream(client, args):
    ask = dict(model=args.model, prompt="Once upon", max_tokens=24, temperature=0, seed=1)
    whole = client.completions.create(**ask)
    assert whole.object == "text_completion" and whole.choices[0].text
    chunks = list(client.completions.create(**ask, stream=True))
    assert "".join(c.choices[0].text for c in chunks) == whole.choices[0].text
    assert chunks[-1].choices[0].finish_reason in ("stop", "length")


@check
def the_helper_for_streams_works(client, args):
    with client.chat.completions.stream(model=args.model, messages=messages(), max_tokens=24) as stream:
        text = "".join(event.delta for event in stream if event.type == "content.delta")
        try:
            final = stream.get_final_completion()
        except openai.LengthFinishReasonError as error:
            # What the helper raises, by design, for every answer that reached its length.
            final = error.completion
    assert text and final.choices[0].message.content == text


@check
def terms_of_the_mesh_and_who_answered(client, args):
    reply = client.chat.completions.with_raw_response.create(
        model=args.model,
        messages=messages(),
        max_tokens=8,
        extra_body={"nervure": {"strategy": "best", "deadline_ms": 30000}},
    )
    assert "/" in reply.headers["x-nervure-expert"] and "strategy" in reply.headers["x-nervure-route"]
    assert reply.parse().choices


@check
def errors_have_their_types(client, args):
    chat = client.chat.completions.create
    unknown = expect(openai.NotFoundError, lambda: chat(model="Unknown Model", messages=messages()))
    assert unknown.code == "model_not_found" and unknown.param == "model", unknown.body
    bad = expect(openai.BadRequestError, lambda: chat(model=args.model, messages=[]))
    assert bad.param == "messages", bad.body
    bad = expect(openai.BadRequestError, lambda: chat(model=args.model, messages=messages(), n=2))
    assert bad.code == "unsupported_parameter" and bad.param == "n", bad.body
    bad = expect(openai.BadRequestError, lambda: chat(model=args.model, messages=messages(), modalities=["audio"]))
    assert bad.param == "modalities", bad.body
    expect(openai.BadRequestError, lambda: client.embeddings.create(model=args.model, input=[]))


@real_only
def a_capability_names_a_model_too(client, args):
    chat = client.chat.completions.create(model=args.capability, messages=messages(), max_tokens=8)
    assert chat.choices and chat.model != args.capability


@check
def leaving_a_stream_is_harmless(client, args):
    stream = client.chat.completions.create(model=args.model, messages=messages(), max_tokens=24, stream=True)
    next(iter(stream))
    stream.close()
    assert list(client.models.list())


@mock_only
def a_key_is_needed(client, args):
    expect(openai.AuthenticationError, lambda: client.with_options(api_key="x" * 20).models.list())


@mock_only
def embeddings_in_both_encodings(client, args):
    for encoding in (openai.NOT_GIVEN, "float", "base64"):
        reply = client.embeddings.create(model=args.model, input=["a", "bcd"], encoding_format=encoding)
        if encoding != "base64":
            assert [row.embedding for row in reply.data] == [[1.0, 0.5], [3.0, 0.5]], reply.data


@mock_only
def failures_of_the_mesh_have_their_types(client, args):
    def chat(model, **more):
        return client.chat.completions.create(model=model, messages=messages(), **more)

    busy = expect(openai.RateLimitError, lambda: chat("busy"))
    assert busy.response.headers["retry-after"] == "2" and busy.code == "busy"
    assert expect(openai.APIStatusError, lambda: chat("dear")).status_code == 402
    assert expect(openai.BadRequestError, lambda: chat("long")).code == "context_length_exceeded"
    assert expect(openai.InternalServerError, lambda: chat("broken")).status_code == 502
    cut = expect(openai.APIError, lambda: list(chat("fails", stream=True)))
    assert "broke off" in str(cut), cut
    expect(openai.APIError, lambda: list(chat("cut", stream=True)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base-url", default=os.environ.get("OPENAI_BASE_URL"))
    parser.add_argument("--api-key", default="none-needed-on-loopback")
    parser.add_argument("--model")
    parser.add_argument("--capability", default="text.generate")
    parser.add_argument("--mock", action="store_true")
    args = parser.parse_args()
    if not args.base_url:
        parser.error("name the gateway with --base-url or OPENAI_BASE_URL")
    # On a slow machine, validators' tasks have the experts' places for a while; the mock's refusals are the checks themselves.
    retries = 0 if args.mock else 20
    client = openai.OpenAI(base_url=args.base_url, api_key=args.api_key, max_retries=retries, timeout=60)
    args.model = args.model or next(iter(client.models.list())).id
    done = 0
    for function, when in CHECKS:
        if args.mock not in when:
            continue
        try:
            function(client, args)
        except Exception as error:  # whatever it is, say which check it was
            print(f"FAILED: {function.__name__}: {type(error).__name__}: {error}", file=sys.stderr)
            raise
        print(f"passed: {function.__name__}")
        done += 1
    print(f"ok: all {done} checks, openai {openai.__version__}, model {args.model}")


if __name__ == "__main__":
    main()
