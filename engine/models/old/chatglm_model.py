"""ChatGLM-6B on Transformers' own pieces: a GLM that reads its prompt both ways (arXiv 2103.10360).

What stands before `<sop>` is the prompt: every token sees all of it. What follows is written from
left to right. A token has two positions: its place in the prompt, where the answer has that of
[gMASK], and its place in the answer. Both follow from `input_ids` and `attention_mask`.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    Cache,
    DynamicCache,
    GenerationMixin,
    PreTrainedModel,
)
from transformers.masking_utils import create_causal_mask
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast
from transformers.modeling_utils import slice_logits_to_keep
from transformers.utils import can_return_tuple
from transformers.utils.generic import merge_with_config_defaults
from transformers.utils.output_capturing import capture_outputs

from engine.models.old.chatglm_config import ChatGLMConfig
from engine.models.old.chatglm_layers import ChatGLMAttention, ChatGLMLayer, rotation_of
from engine.models.old.chatglm_prompts import Prompts, places_after, read_prompts, sees_prompt


class ChatGLMPreTrainedModel(PreTrainedModel):
    config_class = ChatGLMConfig
    base_model_prefix = "transformer"
    _input_embed_layer = "word_embeddings"
    supports_gradient_checkpointing = True
    reads_prompts_whole = True  # engine.models.attention: its rows cannot share a sequence
    _no_split_modules = ["ChatGLMLayer"]
    _skip_keys_device_placement = ["past_key_values"]
    _supports_sdpa = True
    _can_record_outputs = {"hidden_states": ChatGLMLayer, "attentions": ChatGLMAttention}
    _keys_to_ignore_on_load_unexpected = [r"attention\.rotary_emb\.inv_freq"]


class ChatGLMModel(ChatGLMPreTrainedModel):
    def __init__(self, config: ChatGLMConfig):
        super().__init__(config)
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(
            ChatGLMLayer(config, number) for number in range(config.num_hidden_layers)
        )
        self.final_layernorm = nn.LayerNorm(config.hidden_size, config.layer_norm_eps)
        self.gradient_checkpointing = False
        self.post_init()

    @merge_with_config_defaults
    @capture_outputs
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        **kwargs,
    ) -> BaseModelOutputWithPast:
        """`input_ids` [rows, tokens]; `attention_mask` [rows, keys], 0 where a row is padded.
        `position_ids` [rows, 2, tokens] replace what is found; any of fewer dimensions count tokens
        only, as Transformers hands them to every model, and are not needed here."""
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("Give either input_ids or inputs_embeds.")
        if inputs_embeds is None:
            inputs_embeds = self.word_embeddings(input_ids)
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache(config=self.config)
        places, prompts = self._read(input_ids, inputs_embeds, attention_mask, past_key_values)
        if position_ids is not None and position_ids.ndim == 3:
            places = position_ids
        mask = create_causal_mask(
            config=self.config,
            inputs_embeds=inputs_embeds,
            attention_mask=attention_mask,
            past_key_values=past_key_values,
            # Once an answer grows, whatever is there is behind it.
            or_mask_function=sees_prompt(prompts) if prompts else None,
        )
        rotation = rotation_of(places, self.layers[0].attention.head_dim, inputs_embeds.dtype)
        hidden = inputs_embeds
        for layer in self.layers:
            hidden = layer(
                hidden,
                attention_mask=mask,
                rotation=rotation,
                past_key_values=past_key_values,
                **kwargs,
            )
        return BaseModelOutputWithPast(
            last_hidden_state=self.final_layernorm(hidden), past_key_values=past_key_values
        )

    def _read(
        self,
        input_ids: Tensor | None,
        embeds: Tensor,
        attention_mask: Tensor | None,
        cache: Cache | None,
    ) -> tuple[Tensor, Prompts | None]:
        """The places of the tokens, and the prompts where they begin here; None where they are
        in the cache already."""
        tokens = embeds.shape[1]
        seen = cache.get_seq_length() if cache is not None else 0
        kept = getattr(cache, "prompts", None)
        if kept is not None and (tokens == 1 or seen != 0):
            return places_after(kept, seen, tokens), None
        is_token = self._finder(input_ids, embeds)
        prompts, places = read_prompts(self.config, is_token, attention_mask, seen)
        if cache is not None:
            cache.prompts = prompts
        return places, prompts

    def _finder(self, input_ids: Tensor | None, embeds: Tensor) -> Callable[[int], Tensor]:
        """Says of an id which tokens it is. Embeddings that come without ids, as behind learned
        tokens, are known by being equal to the token's."""
        if input_ids is not None:
            return lambda token: input_ids == token
        return lambda token: (
            embeds == self.word_embeddings(torch.tensor(token, device=embeds.device))
        ).all(-1)


class ChatGLMForCausalLM(ChatGLMPreTrainedModel, GenerationMixin):
    _tied_weights_keys = {"lm_head.weight": "transformer.word_embeddings.weight"}

    def __init__(self, config: ChatGLMConfig):
        super().__init__(config)
        self.transformer = ChatGLMModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    @staticmethod
    def create_masks_for_generate(attention_mask: Tensor | None, **kwargs) -> Tensor | None:
        """As it is: the mask of four dimensions is made in forward, which knows the prompts."""
        return attention_mask

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        **kwargs,
    ) -> CausalLMOutputWithPast:
        """As ChatGLMModel; `labels` [rows, tokens], -100 where nothing is learned."""
        outputs = self.transformer(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            **kwargs,
        )
        logits = self.lm_head(slice_logits_to_keep(outputs.last_hidden_state, logits_to_keep))
        loss = None
        if labels is not None:
            loss = self.loss_function(logits, labels, vocab_size=self.config.vocab_size, **kwargs)
        return CausalLMOutputWithPast(
            loss=loss,
            logits=logits,
            past_key_values=outputs.past_key_values,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )


AutoConfig.register(ChatGLMConfig.model_type, ChatGLMConfig, exist_ok=True)
AutoModelForCausalLM.register(ChatGLMConfig, ChatGLMForCausalLM, exist_ok=True)
