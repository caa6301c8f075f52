"""A chat model run by transformers in this process: for a trained checkpoint without a server."""

from __future__ import annotations

import threading
from typing import Any, Self

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, convert_to_openai_messages
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import PrivateAttr

from reasonflux_agent.errors import MissingExtraError, SpecError


class TransformersChat(BaseChatModel):
    """A causal language model with a chat template. Calls are made one after the other."""

    spec: str
    model_name: str
    max_tokens: int = 2048
    """Of a reply, if the call does not say."""

    _model: Any = PrivateAttr()
    _tokenizer: Any = PrivateAttr()
    _turn: Any = PrivateAttr(default_factory=threading.Lock)

    @classmethod
    def load(cls, spec: str, name: str) -> Self:
        """Return the model in the directory `name`, or of that id on the hub; on the GPUs if there are any.

        Raises MissingExtraError without transformers and torch, SpecError if there is no such model.
        """
        try:
            import torch
            from transformers import AutoModelForCausalLM, AutoTokenizer
        except ImportError as error:
            raise MissingExtraError("An hf: model", "transformers with torch", "hf") from error
        try:
            tokenizer = AutoTokenizer.from_pretrained(name)
            where = "auto" if torch.cuda.is_available() else None
            model = AutoModelForCausalLM.from_pretrained(name, dtype="auto", device_map=where)
        except (OSError, ValueError) as error:
            raise SpecError(
                f"The model {spec!r} was asked of transformers, which does not load it: {error} "
                "Next: name the directory of a checkpoint (with its tokenizer), or an id of the hub."
            ) from error
        if tokenizer.chat_template is None:
            raise SpecError(f"The model {spec!r} has no chat template. Next: name an instruction-tuned checkpoint.")
        chat = cls(spec=spec, model_name=name)
        chat._model, chat._tokenizer = model.eval(), tokenizer
        return chat

    @property
    def _llm_type(self) -> str:
        return "reasonflux-transformers"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        *,
        max_tokens: int | None = None,
        temperature: float | None = None,
        seed: int | None = None,
        **_: Any,
    ) -> ChatResult:
        import torch

        prompt = self._tokenizer.apply_chat_template(
            convert_to_openai_messages(messages), add_generation_prompt=True, return_tensors="pt", return_dict=True
        ).to(self._model.device)
        options: dict[str, Any] = {"max_new_tokens": max_tokens or self.max_tokens}
        if temperature is not None:
            options |= {"do_sample": temperature > 0} | ({"temperature": temperature} if temperature > 0 else {})
        if stop:
            options |= {"stop_strings": stop, "tokenizer": self._tokenizer}
        # One call at a time: transformers samples from torch's global generator, which `seed` sets for this call alone.
        with self._turn, torch.random.fork_rng(enabled=seed is not None), torch.inference_mode():
            if seed is not None:
                torch.manual_seed(seed)
            output = self._model.generate(**prompt, **options)
        read = int(prompt["input_ids"].shape[1])
        tokens = output[0, read:].tolist()
        text = self._tokenizer.decode(tokens, skip_special_tokens=True)
        ends = [text.find(mark) for mark in stop or () if mark in text]
        ended = bool(ends) or len(tokens) < options["max_new_tokens"] or tokens[-1] in _eos(self._model)
        message = AIMessage(
            text[: min(ends)] if ends else text,
            response_metadata={"finish_reason": "stop" if ended else "length", "model_name": self.model_name},
            usage_metadata={"input_tokens": read, "output_tokens": len(tokens), "total_tokens": read + len(tokens)},
        )
        return ChatResult(generations=[ChatGeneration(message=message)])


def _eos(model: Any) -> list[int]:
    ids = model.generation_config.eos_token_id
    return ids if isinstance(ids, list) else [ids]
