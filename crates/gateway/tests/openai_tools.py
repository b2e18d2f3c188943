"""An agent's loop with the official `openai` Python client, unmodified, against a Nervure gateway.

    python3 openai_tools.py --base-url http://127.0.0.1:PORT/v1 --chat NAME --bytes NAME

NAME is a model or a capability: --chat one whose model server calls tools (the mock model server of a testnet does),
--bytes one that has none. Prints one line per check and `ok: all N checks` at the end; exits 1 at the first that fails.
"""

import argparse
import json
import sys

import openai

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "look_up",
            "description": "Looks a text up.",
            "parameters": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
        },
    }
]
QUESTION = {"role": "user", "content": "What is a nervure?"}


def patient(call):
    """What `call` returns, tried again while all experts are busy."""
    for _ in range(60):
        try:
            return call()
        except (openai.RateLimitError, openai.InternalServerError):
            continue
    return call()


def called(message):
    """The only call of a message, which must be the tool with the question."""
    (call,) = message.tool_calls
    assert call.type == "function" and call.function.name == "look_up", call
    assert json.loads(call.function.arguments) == {"text": QUESTION["content"]}, call
    return call


def whole(client, args):
    first = patient(lambda: client.chat.completions.create(model=args.chat, messages=[QUESTION], tools=TOOLS))
    choice = first.choices[0]
    assert choice.finish_reason == "tool_calls" and choice.message.content is None, choice
    call = called(choice.message)
    result = {"role": "tool", "tool_call_id": call.id, "content": "A vein of a wing."}
    messages = [QUESTION, choice.message, result]
    second = patient(lambda: client.chat.completions.create(model=args.chat, messages=messages, tools=TOOLS))
    assert second.choices[0].message.content == "The tool says: A vein of a wing.", second
    assert second.choices[0].finish_reason == "stop", second


def streamed(client, args):
    def run():
        with client.chat.completions.stream(model=args.chat, messages=[QUESTION], tools=TOOLS) as stream:
            kinds = {event.type for event in stream}
            return kinds, stream.get_final_completion()

    kinds, final = patient(run)
    assert "tool_calls.function.arguments.delta" in kinds, kinds
    assert final.choices[0].finish_reason == "tool_calls", final
    called(final.choices[0].message)


def responses(client, args):
    """The same by the newer API, which continues from the response before."""
    tools = [{"type": "function", **TOOLS[0]["function"]}]
    first = patient(lambda: client.responses.create(model=args.chat, input=QUESTION["content"], tools=tools))
    (call,) = [item for item in first.output if item.type == "function_call"]
    assert json.loads(call.arguments) == {"text": QUESTION["content"]}, call
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "A vein of a wing."}

    def run():
        kinds, final = [], None
        stream = client.responses.create(
            model=args.chat, input=[result], tools=tools, previous_response_id=first.id, stream=True
        )
        for event in stream:
            kinds.append(event.type)
            final = getattr(event, "response", None)
        return kinds, final

    kinds, final = patient(run)
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed", kinds
    assert "response.output_text.delta" in kinds, kinds
    assert final.output_text == "The tool says: A vein of a wing.", final


def refused(client, args):
    """A model that has no tools says so: an answer without the call would be a wrong answer."""
    try:
        patient(lambda: client.chat.completions.create(model=args.bytes, messages=[QUESTION], tools=TOOLS))
    except openai.BadRequestError as error:
        assert "tools" in str(error), error
        return
    raise AssertionError("a model without tools answered")


def main():
    parser = argparse.ArgumentParser()
    for name in ("base-url", "chat", "bytes"):
        parser.add_argument(f"--{name}", required=True)
    args = parser.parse_args()
    client = openai.OpenAI(base_url=args.base_url, api_key="none", max_retries=0)
    checks = [whole, streamed, responses, refused]
    for check in checks:
        check(client, args)
        print(f"ok: {check.__name__}")
    print(f"ok: all {len(checks)} checks")


if __name__ == "__main__":
    sys.exit(main())
