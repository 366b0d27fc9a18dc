"""MiniGPT-v2 as a transformers model, which the library lacks: EVA-ViT, one linear layer, Llama.

Put together from the library's own parts (Chen et al., "MiniGPT-v2", 2023, section 2.1). What lives here: the
model, its configuration and its processor, each with `from_pretrained` and `save_pretrained`. What does not:
concept vectors (`minigpt_v2.py`), and the form in which its authors publish it (`minigpt_v2_published.py`).
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForImageTextToText,
    AutoProcessor,
    Blip2VisionConfig,
    Blip2VisionModel,
    GenerationMixin,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedConfig,
    PreTrainedModel,
    ProcessorMixin,
)
from transformers.modeling_outputs import BaseModelOutputWithPooling

IMAGE_TOKEN = "<ImageHere>"  # its authors' own name for it
# A space before </Img>, because its authors encode what stands behind the photo as a text of its own.
CHAT_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'user' %}[INST] "
    "{% for part in message['content'] if part['type'] == 'image' %}<Img>"
    + IMAGE_TOKEN
    + " </Img> {% endfor %}"
    "{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }} {% endfor %}[/INST]"
    "{% else %} {% for part in message['content'] %}{{ part['text'] }}{% endfor %}</s>{% endif %}{% endfor %}"
)


class MiniGPTv2Config(PreTrainedConfig):
    """Sizes of the parts, and how many neighbouring patches become one image token (4 as published)."""

    model_type = "minigpt_v2"
    sub_configs = {"vision_config": Blip2VisionConfig, "text_config": LlamaConfig}  # noqa: RUF012

    def __init__(
        self,
        vision_config: Any = None,  # a Blip2VisionConfig, or its settings
        text_config: Any = None,  # a LlamaConfig, or its settings
        neighbours: int = 4,
        image_token_id: int = 32000,
        **more: Any,
    ) -> None:
        if not isinstance(vision_config, Blip2VisionConfig):
            vision_config = Blip2VisionConfig(**(vision_config or {}))
        if not isinstance(text_config, LlamaConfig):
            text_config = LlamaConfig(**(text_config or {}))
        self.vision_config = vision_config
        self.text_config = text_config
        self.neighbours = neighbours
        self.image_token_id = image_token_id
        super().__init__(**{"tie_word_embeddings": text_config.tie_word_embeddings, **more})

    @property
    def image_tokens(self) -> int:
        """How many tokens a photo becomes."""
        return (self.vision_config.image_size // self.vision_config.patch_size) ** 2 // self.neighbours


class MiniGPTv2ForConditionalGeneration(PreTrainedModel, GenerationMixin):
    """Photos and words in, words out."""

    config: MiniGPTv2Config
    config_class = MiniGPTv2Config
    input_modalities = ("image", "text")
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_attention_backend = True
    _skip_keys_device_placement = ["past_key_values"]  # noqa: RUF012

    def __init__(self, config: MiniGPTv2Config) -> None:
        super().__init__(config)
        seen, said = config.vision_config, config.text_config
        self.vision_tower = Blip2VisionModel(seen)
        self.projector = nn.Linear(seen.hidden_size * config.neighbours, said.hidden_size)
        self.language_model = LlamaForCausalLM(said)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """The words' embeddings."""
        return self.language_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Use other embeddings for words."""
        self.language_model.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module:
        """The language model's head."""
        return self.language_model.get_output_embeddings()

    def get_image_features(self, pixel_values: Tensor, **_: Any) -> BaseModelOutputWithPooling:
        """The tower's states (n, 1 + patches, width), and as `pooler_output` what Llama sees of them.

        That is (n, patches / neighbours, hidden size): patches side by side are joined, [CLS] is left out.
        """
        seen = self.vision_tower(pixel_values, return_dict=True)
        seen.pooler_output = self.projector(join(seen.last_hidden_state[:, 1:], self.config.neighbours))
        return seen

    def forward(
        self,
        input_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,  # `generate` makes them only where it sees that they are taken
        past_key_values: Any = None,
        **more: Any,
    ) -> Any:
        """Llama's own outputs for words (n, tokens), with the photos in the place of their image tokens."""
        if inputs_embeds is None and input_ids is not None:
            inputs_embeds = self.get_input_embeddings()(input_ids)
            if pixel_values is not None:
                tokens = self.get_image_features(pixel_values).pooler_output.to(inputs_embeds)
                shown = input_ids.eq(self.config.image_token_id).unsqueeze(-1).expand_as(inputs_embeds)
                if int(shown.sum()) != tokens.numel():
                    raise ValueError(
                        f"{len(pixel_values)} photos need {self.config.image_tokens} tokens each"
                    )
                inputs_embeds = inputs_embeds.masked_scatter(shown, tokens)
        return self.language_model(
            inputs_embeds=inputs_embeds,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            **more,
        )


class MiniGPTv2Processor(ProcessorMixin):
    """Photos to pixels, and `<ImageHere>` in a text to as many of them as a photo has tokens."""

    def __init__(
        self,
        image_processor: Any = None,
        tokenizer: Any = None,
        chat_template: str | None = None,
        image_tokens: int = 256,
        **_: Any,
    ) -> None:
        self.image_tokens = image_tokens
        self.image_token = IMAGE_TOKEN
        self.image_token_id = tokenizer.convert_tokens_to_ids(IMAGE_TOKEN)
        super().__init__(image_processor, tokenizer, chat_template=chat_template or CHAT_TEMPLATE)

    def replace_image_token(self, *_: Any, **__: Any) -> str:
        """What stands in a text for one photo."""
        return self.image_token * self.image_tokens


def join(patches: Tensor, neighbours: int) -> Tensor:
    """(n, patches, width) to (n, patches / neighbours, neighbours * width), along the rows of the photo."""
    return patches.reshape(len(patches), -1, neighbours * patches.shape[-1])


# Known to the library's own loaders once this module is imported.
AutoConfig.register(MiniGPTv2Config.model_type, MiniGPTv2Config)
AutoModelForImageTextToText.register(MiniGPTv2Config, MiniGPTv2ForConditionalGeneration)
AutoProcessor.register(MiniGPTv2Config, MiniGPTv2Processor)
