"""Programs that people have, unmodified, against a gateway: which feature of which client works.

    python3 suite.py --base-url http://127.0.0.1:PORT --chat NAME --embed NAME [--json]

NAME is a model or a capability; --chat one whose model server calls tools, as the mock model server of a testnet does.
Prints a table of clients and features in Markdown: `yes`, `-` where the client does not have the feature, `not here` where
the package is not installed, and `WRONG` with the error below. Exits 1 if anything is wrong.
"""

import argparse
import asyncio
import importlib.util
import json
import os
import sys
import traceback

QUESTION = "What is 6 * 7?"
ANSWER = "42"
TOOL_QUESTION = "What is a nervure?"
TOOL_RESULT = "A vein of a wing."
FEATURES = ["chat", "stream", "tools", "stream of tools", "agent", "structured", "responses", "embeddings", "errors"]

# On a slow machine, validators' tasks have the experts' places for a while.
RETRIES = 20


class Client:
    """A client: the package that it needs, and a method for each feature that it has."""

    package = ""

    def __init__(self, args):
        self.base, self.args = args.base_url, args
        self.v1 = args.base_url + "/v1"


def has_answer(text):
    assert ANSWER in text, text


def has_result(text):
    assert TOOL_RESULT in text, text


def look_up(text: str) -> str:
    """Looks a text up."""
    assert text == TOOL_QUESTION, text
    return TOOL_RESULT


PARAMETERS = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
    "additionalProperties": False,
}
FUNCTION = {"name": "look_up", "description": "Looks a text up.", "parameters": PARAMETERS}


class OpenAi(Client):
    name, package = "openai", "openai"

    def __init__(self, args):
        super().__init__(args)
        import openai

        self.module = openai
        self.client = openai.OpenAI(base_url=self.v1, api_key="none", max_retries=RETRIES)

    def create(self, question=QUESTION, **more):
        messages = [{"role": "user", "content": question}]
        return self.client.chat.completions.create(model=self.args.chat, messages=messages, **more)

    def chat(self):
        has_answer(self.create().choices[0].message.content)

    def stream(self):
        chunks = list(self.create(stream=True, stream_options={"include_usage": True}))
        assert chunks[-1].usage.completion_tokens > 1, chunks[-1]
        has_answer("".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices))

    def tools(self):
        choice = self.create(TOOL_QUESTION, tools=[{"type": "function", "function": FUNCTION}]).choices[0]
        assert choice.finish_reason == "tool_calls", choice
        look_up(**json.loads(choice.message.tool_calls[0].function.arguments))

    def stream_of_tools(self):
        messages = [{"role": "user", "content": TOOL_QUESTION}]
        tools = [{"type": "function", "function": FUNCTION}]
        with self.client.chat.completions.stream(model=self.args.chat, messages=messages, tools=tools) as stream:
            final = stream.get_final_completion()
        look_up(**json.loads(final.choices[0].message.tool_calls[0].function.arguments))

    def responses(self):
        first = self.client.responses.create(model=self.args.chat, input=QUESTION)
        has_answer(first.output_text)
        events = self.client.responses.create(
            model=self.args.chat, input=QUESTION, previous_response_id=first.id, stream=True
        )
        has_answer("".join(event.delta for event in events if event.type == "response.output_text.delta"))

    def embeddings(self):
        found = self.client.embeddings.create(model=self.args.embed, input=["a dog", "a cat"])
        assert [len(one.embedding) for one in found.data] == [128, 128], found

    def errors(self):
        try:
            self.client.chat.completions.create(model="no-such-model", messages=[{"role": "user", "content": "x"}])
        except self.module.NotFoundError as error:
            assert error.code == "model_not_found", error
            return
        raise AssertionError("an unknown model answered")


class Anthropic(Client):
    name, package = "anthropic", "anthropic"

    def __init__(self, args):
        super().__init__(args)
        import anthropic

        self.module = anthropic
        self.client = anthropic.Anthropic(base_url=self.base, api_key="none", max_retries=RETRIES)
        self.tool = {"name": "look_up", "description": "Looks a text up.", "input_schema": PARAMETERS}

    def asked(self, question):
        return {"model": self.args.chat, "max_tokens": 64, "messages": [{"role": "user", "content": question}]}

    def chat(self):
        has_answer(self.client.messages.create(**self.asked(QUESTION)).content[0].text)

    def stream(self):
        with self.client.messages.stream(**self.asked(QUESTION)) as stream:
            has_answer("".join(stream.text_stream))

    def tools(self):
        reply = self.client.messages.create(**self.asked(TOOL_QUESTION), tools=[self.tool])
        assert reply.stop_reason == "tool_use", reply
        look_up(**reply.content[0].input)

    def stream_of_tools(self):
        with self.client.messages.stream(**self.asked(TOOL_QUESTION), tools=[self.tool]) as stream:
            look_up(**stream.get_final_message().content[0].input)

    def errors(self):
        try:
            self.client.messages.create(**{**self.asked("x"), "model": "no-such-model"})
        except self.module.NotFoundError:
            return
        raise AssertionError("an unknown model answered")


class Ollama(Client):
    name, package = "ollama", "ollama"

    def __init__(self, args):
        super().__init__(args)
        import ollama

        self.module, self.client = ollama, ollama.Client(host=self.base)

    def asked(self, question=QUESTION, **more):
        messages = [{"role": "user", "content": question}]
        for _ in range(RETRIES):
            try:
                return self.client.chat(model=self.args.chat, messages=messages, **more)
            except self.module.ResponseError as error:
                if error.status_code != 429:
                    raise
        raise AssertionError("always busy")

    def chat(self):
        has_answer(self.asked().message.content)
        has_answer(self.client.generate(model=self.args.chat, prompt=QUESTION).response)

    def stream(self):
        has_answer("".join(line.message.content for line in self.asked(stream=True)))

    def tools(self):
        look_up(**self.asked(TOOL_QUESTION, tools=[look_up]).message.tool_calls[0].function.arguments)

    def stream_of_tools(self):
        lines = list(self.asked(TOOL_QUESTION, tools=[look_up], stream=True))
        (call,) = [call for line in lines for call in line.message.tool_calls or []]
        look_up(**call.function.arguments)

    def embeddings(self):
        found = self.client.embed(model=self.args.embed, input=["a dog", "a cat"])
        assert [len(one) for one in found.embeddings] == [128, 128], found

    def errors(self):
        try:
            self.client.chat(model="no-such-model", messages=[{"role": "user", "content": "x"}])
        except self.module.ResponseError as error:
            assert error.status_code == 404, error
            return
        raise AssertionError("an unknown model answered")


class LangChain(Client):
    name, package = "langchain-openai", "langchain_openai"

    def __init__(self, args):
        super().__init__(args)
        from langchain_openai import ChatOpenAI

        self.model = ChatOpenAI(base_url=self.v1, api_key="none", model=args.chat, max_retries=RETRIES)

    def chat(self):
        has_answer(self.model.invoke(QUESTION).content)

    def stream(self):
        has_answer("".join(chunk.content for chunk in self.model.stream(QUESTION)))

    def tools(self):
        reply = self.model.bind_tools([look_up]).invoke(TOOL_QUESTION)
        look_up(**reply.tool_calls[0]["args"])

    def stream_of_tools(self):
        whole = None
        for chunk in self.model.bind_tools([look_up]).stream(TOOL_QUESTION):
            whole = chunk if whole is None else whole + chunk
        look_up(**whole.tool_calls[0]["args"])

    def structured(self):
        from pydantic import BaseModel

        class Found(BaseModel):
            """What was found."""

            text: str

        found = self.model.with_structured_output(Found, method="function_calling").invoke(TOOL_QUESTION)
        assert found.text == TOOL_QUESTION, found

    def responses(self):
        from langchain_openai import ChatOpenAI

        model = ChatOpenAI(
            base_url=self.v1, api_key="none", model=self.args.chat, max_retries=RETRIES, use_responses_api=True
        )
        has_answer(model.invoke(QUESTION).text)

    def embeddings(self):
        from langchain_openai import OpenAIEmbeddings

        # Its default sends numbers of OpenAI's tokens, which another model does not have.
        embeddings = OpenAIEmbeddings(
            base_url=self.v1, api_key="none", model=self.args.embed, check_embedding_ctx_length=False
        )
        assert len(embeddings.embed_query("a dog")) == 128


class LangChainAnthropic(Client):
    name, package = "langchain-anthropic", "langchain_anthropic"

    def __init__(self, args):
        super().__init__(args)
        from langchain_anthropic import ChatAnthropic

        self.model = ChatAnthropic(base_url=self.base, api_key="none", model=args.chat, max_retries=RETRIES)

    def chat(self):
        has_answer(self.model.invoke(QUESTION).text)

    def stream(self):
        has_answer("".join(chunk.text for chunk in self.model.stream(QUESTION)))

    def tools(self):
        look_up(**self.model.bind_tools([look_up]).invoke(TOOL_QUESTION).tool_calls[0]["args"])


class LangGraph(Client):
    name, package = "langgraph", "langgraph"

    def agent(self):
        from langchain_openai import ChatOpenAI
        from langgraph.prebuilt import create_react_agent

        model = ChatOpenAI(base_url=self.v1, api_key="none", model=self.args.chat, max_retries=RETRIES)
        state = create_react_agent(model, [look_up]).invoke({"messages": [("user", TOOL_QUESTION)]})
        has_result(state["messages"][-1].content)


class LiteLlm(Client):
    name, package = "litellm", "litellm"

    def completion(self, question=QUESTION, **more):
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
        import litellm

        return litellm.completion(
            model=f"openai/{self.args.chat}",
            api_base=self.v1,
            api_key="none",
            num_retries=RETRIES,
            messages=[{"role": "user", "content": question}],
            **more,
        )

    def chat(self):
        has_answer(self.completion().choices[0].message.content)

    def stream(self):
        chunks = self.completion(stream=True)
        has_answer("".join(chunk.choices[0].delta.content or "" for chunk in chunks))

    def tools(self):
        reply = self.completion(TOOL_QUESTION, tools=[{"type": "function", "function": FUNCTION}])
        look_up(**json.loads(reply.choices[0].message.tool_calls[0].function.arguments))

    def embeddings(self):
        import litellm

        found = litellm.embedding(
            model=f"openai/{self.args.embed}", api_base=self.v1, api_key="none", input=["a dog"]
        )
        assert len(found.data[0]["embedding"]) == 128, found


class Instructor(Client):
    name, package = "instructor", "instructor"

    def structured(self):
        import instructor
        import openai
        from pydantic import BaseModel

        class Found(BaseModel):
            """What was found."""

            text: str

        client = openai.OpenAI(base_url=self.v1, api_key="none", max_retries=RETRIES)
        for mode in (instructor.Mode.TOOLS, instructor.Mode.TOOLS_STRICT):
            found = instructor.from_openai(client, mode=mode).chat.completions.create(
                model=self.args.chat, response_model=Found, messages=[{"role": "user", "content": TOOL_QUESTION}]
            )
            assert found.text == TOOL_QUESTION, (mode, found)


class PydanticAi(Client):
    name, package = "pydantic-ai", "pydantic_ai"

    def model(self, kind="chat"):
        import openai
        from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
        from pydantic_ai.providers.openai import OpenAIProvider

        client = openai.AsyncOpenAI(base_url=self.v1, api_key="none", max_retries=RETRIES)
        types = {"chat": OpenAIChatModel, "responses": OpenAIResponsesModel}
        return types[kind](self.args.chat, provider=OpenAIProvider(openai_client=client))

    def chat(self):
        from pydantic_ai import Agent

        has_answer(Agent(self.model()).run_sync(QUESTION).output)

    def stream(self):
        from pydantic_ai import Agent

        async def run():
            async with Agent(self.model()).run_stream(QUESTION) as result:
                return [piece async for piece in result.stream_text(delta=True)]

        has_answer("".join(asyncio.run(run())))

    def agent(self):
        from pydantic_ai import Agent

        has_result(Agent(self.model(), tools=[look_up]).run_sync(TOOL_QUESTION).output)

    def structured(self):
        from pydantic import BaseModel
        from pydantic_ai import Agent

        class Found(BaseModel):
            """What was found."""

            text: str

        found = Agent(self.model(), output_type=Found).run_sync(TOOL_QUESTION).output
        assert found.text == TOOL_QUESTION, found

    def responses(self):
        from pydantic_ai import Agent

        has_result(Agent(self.model("responses"), tools=[look_up]).run_sync(TOOL_QUESTION).output)


class OpenAiAgents(Client):
    name, package = "openai-agents", "agents"

    def run(self, kind):
        import agents
        import openai

        agents.set_tracing_disabled(True)
        client = openai.AsyncOpenAI(base_url=self.v1, api_key="none", max_retries=RETRIES)
        types = {
            "chat": agents.OpenAIChatCompletionsModel,
            "responses": agents.OpenAIResponsesModel,
        }
        model = types[kind](model=self.args.chat, openai_client=client)
        agent = agents.Agent(name="a", instructions="Be brief.", model=model, tools=[agents.function_tool(look_up)])
        return agents.Runner, agent

    def agent(self):
        runner, agent = self.run("chat")
        has_result(runner.run_sync(agent, TOOL_QUESTION).final_output)

    def responses(self):
        runner, agent = self.run("responses")
        has_result(runner.run_sync(agent, TOOL_QUESTION).final_output)

    def stream(self):
        async def run():
            runner, agent = self.run("responses")
            result = runner.run_streamed(agent, TOOL_QUESTION)
            kinds = {event.type async for event in result.stream_events()}
            return kinds, result.final_output

        kinds, output = asyncio.run(run())
        assert "raw_response_event" in kinds, kinds
        has_result(output)


class LlamaIndex(Client):
    name, package = "llama-index", "llama_index.llms.openai_like"

    def model(self):
        from llama_index.llms.openai_like import OpenAILike

        return OpenAILike(
            model=self.args.chat,
            api_base=self.v1,
            api_key="none",
            is_chat_model=True,
            is_function_calling_model=True,
            context_window=4096,
            max_retries=RETRIES,
        )

    def chat(self):
        from llama_index.core.llms import ChatMessage

        has_answer(self.model().chat([ChatMessage(role="user", content=QUESTION)]).message.content)

    def stream(self):
        from llama_index.core.llms import ChatMessage

        pieces = self.model().stream_chat([ChatMessage(role="user", content=QUESTION)])
        has_answer("".join(piece.delta or "" for piece in pieces))

    def tools(self):
        from llama_index.core.tools import FunctionTool

        model = self.model()
        reply = model.chat_with_tools([FunctionTool.from_defaults(look_up)], user_msg=TOOL_QUESTION)
        look_up(**model.get_tool_calls_from_response(reply)[0].tool_kwargs)


class Haystack(Client):
    name, package = "haystack", "haystack"

    def ask(self, question, **more):
        from haystack.components.generators.chat import OpenAIChatGenerator
        from haystack.dataclasses import ChatMessage
        from haystack.utils import Secret

        generator = OpenAIChatGenerator(
            api_key=Secret.from_token("none"),
            api_base_url=self.v1,
            model=self.args.chat,
            max_retries=RETRIES,
            **more,
        )
        return generator.run([ChatMessage.from_user(question)])["replies"][0]

    def chat(self):
        has_answer(self.ask(QUESTION).text)

    def stream(self):
        pieces = []
        self.ask(QUESTION, streaming_callback=lambda chunk: pieces.append(chunk.content))
        has_answer("".join(pieces))

    def tools(self):
        from haystack.tools import Tool

        tool = Tool(name="look_up", description="Looks a text up.", parameters=PARAMETERS, function=look_up)
        look_up(**self.ask(TOOL_QUESTION, tools=[tool]).tool_call.arguments)


CLIENTS = [
    OpenAi,
    Anthropic,
    Ollama,
    LangChain,
    LangChainAnthropic,
    LangGraph,
    LiteLlm,
    Instructor,
    PydanticAi,
    OpenAiAgents,
    LlamaIndex,
    Haystack,
]


def is_here(package):
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:
        return False


def result(kind, args, feature, problems):
    """The cell of a client and a feature."""
    method = feature.replace(" ", "_")
    if not hasattr(kind, method):
        return "-"
    if not is_here(kind.package):
        return "not here"
    try:
        getattr(kind(args), method)()
        return "yes"
    except Exception:  # noqa: BLE001: whatever a client raises is what the table is for
        problems.append(f"{kind.name}, {feature}:\n{traceback.format_exc()}")
        return "WRONG"


def main():
    parser = argparse.ArgumentParser()
    for name in ("base-url", "chat", "embed"):
        parser.add_argument(f"--{name}", required=True)
    args = parser.parse_args()
    problems = []
    print("| client | " + " | ".join(FEATURES) + " |")
    print("| --- |" + " --- |" * len(FEATURES))
    for kind in CLIENTS:
        row = [result(kind, args, feature, problems) for feature in FEATURES]
        print(f"| {kind.name} | " + " | ".join(row) + " |", flush=True)
    missing = sorted({kind.package for kind in CLIENTS if not is_here(kind.package)})
    if missing:
        print(f"SKIPPED: not installed: {', '.join(missing)}", file=sys.stderr)
    print("\n".join(problems), file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
