"""An agent's loop with the official `anthropic` Python client, unmodified, against a Nervure gateway.

    python3 anthropic_tools.py --base-url http://127.0.0.1:PORT --chat NAME

NAME is a model or a capability whose model server calls tools (the mock model server of a testnet does). Prints one line
per check and `ok: all N checks` at the end; exits 1 at the first that fails.
"""

import argparse
import sys

import anthropic

TOOLS = [
    {
        "name": "look_up",
        "description": "Looks a text up.",
        "input_schema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
    }
]
QUESTION = {"role": "user", "content": "What is a nervure?"}


def whole(client, args):
    first = client.messages.create(model=args.chat, max_tokens=64, messages=[QUESTION], tools=TOOLS)
    assert first.stop_reason == "tool_use", first
    (call,) = [block for block in first.content if block.type == "tool_use"]
    assert call.name == "look_up" and call.input == {"text": QUESTION["content"]}, call
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "A vein of a wing."}
    messages = [QUESTION, {"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    second = client.messages.create(model=args.chat, max_tokens=64, messages=messages, tools=TOOLS)
    assert second.content[0].text == "The tool says: A vein of a wing.", second
    assert second.stop_reason == "end_turn" and second.usage.output_tokens > 0, second


def streamed(client, args):
    with client.messages.stream(model=args.chat, max_tokens=64, messages=[QUESTION], tools=TOOLS) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_message()
    assert "input_json" in kinds and final.stop_reason == "tool_use", (kinds, final)
    assert final.content[0].input == {"text": QUESTION["content"]}, final


def text(client, args):
    asked = [{"role": "user", "content": [{"type": "text", "text": "What is 6 * 7?"}]}]
    with client.messages.stream(model=args.chat, max_tokens=64, system="Be brief.", messages=asked) as stream:
        pieces = list(stream.text_stream)
    assert len(pieces) > 1 and "42" in "".join(pieces), pieces


def counted(client, args):
    count = client.messages.count_tokens(model=args.chat, messages=[QUESTION])
    assert count.input_tokens > 0, count


def errors(client, args):
    try:
        client.messages.create(model="no-such-model", max_tokens=9, messages=[QUESTION])
    except anthropic.NotFoundError as error:
        assert "no-such-model" in str(error), error
        return
    raise AssertionError("an unknown model answered")


def main():
    parser = argparse.ArgumentParser()
    for name in ("base-url", "chat"):
        parser.add_argument(f"--{name}", required=True)
    args = parser.parse_args()
    # On a slow machine, validators' tasks have the experts' places for a while.
    client = anthropic.Anthropic(base_url=args.base_url, api_key="none", max_retries=20)
    checks = [whole, streamed, text, counted, errors]
    for check in checks:
        check(client, args)
        print(f"ok: {check.__name__}")
    print(f"ok: all {len(checks)} checks")


if __name__ == "__main__":
    sys.exit(main())
