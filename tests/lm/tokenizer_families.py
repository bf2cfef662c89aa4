"""Tiny tokenizers of every family that language models have, made here, and models for them.

Each token is made from the bytes it writes, so a family knows its bytes without asking any
tokenizer for them. A disguised family is the same except for the strings of its control tokens,
which are then characters of private use: to it, text that spells the usual ones is text like any
other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import transformers
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)
from transformers.convert_slow_tokenizer import bytes_to_unicode

BLANK = "\u2581"
WORDS = [
    *("joy", "fear", "joyful", "none", "label", "very", "sad", "café", "S1", "S10", "S2"),
    *("Moods", "Answer", "user", "assistant", "system", "soup", "cold", "was", "the", "and"),
]
SIGNS = [
    *('{"', '":', ' ["', '": ["', '": []}', '",', ' "', '", "', '"]}', " []}"),
    *(", ", "\n\n", "..."),
]
CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGIJLMNPRSTW0123456789.,:;!?'\"{}[]()<>|/_-+*#=°éü\n\t"


@dataclass
class Family:
    """A tokenizer, and what is known of it from how it was made.

    texts: by id, the bytes that each token writes; None for control tokens.
    ends: ids that end a turn or a text. chat: whether it has a template. folds: whether that
    refuses system turns. control: the strings of its control tokens.
    """

    tokenizer: transformers.PreTrainedTokenizerFast
    texts: list[bytes | None]
    ends: frozenset[int]
    chat: bool = True
    folds: bool = False
    control: list[str] = field(default_factory=list)


@dataclass
class Control:
    """The strings of a family's control tokens, in order; disguised ones look like nothing else."""

    disguised: bool
    texts: list[str] = field(default_factory=list)

    def __call__(self, text: str) -> str:
        self.texts.append(text)
        return chr(0xE000 + len(self.texts)) if self.disguised else text


# -- vocabularies -------------------------------------------------------------------------------


def chains(words: Iterable[Sequence[str]]) -> list[tuple[str, str]]:
    """Merges that build each word up from its first symbol."""
    merges: dict[tuple[str, str], None] = {}
    for word in words:
        left = word[0]
        for symbol in word[1:]:
            merges[left, symbol] = None
            left += symbol
    return list(merges)


def byte_level(
    control: Sequence[str], *, merging: bool = True, **options: Any
) -> tuple[Tokenizer, list[bytes | None]]:
    """Byte-level BPE: all 256 bytes, then what the merges make. Control tokens come first."""
    letters = bytes_to_unicode()
    byte_of = {letter: byte for byte, letter in letters.items()}
    words = [word.encode() for word in [*WORDS, *SIGNS]] if merging else []
    spelled = [[letters[byte] for byte in word] for word in words]
    merges = chains(spelled)
    merges += [(letters[0x20], "".join(word)) for word in spelled[: len(WORDS)] if len(word) > 1]
    pieces = [*letters.values(), *dict.fromkeys(left + right for left, right in merges)]
    vocabulary = {piece: index for index, piece in enumerate([*control, *pieces])}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, **options))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    texts: list[bytes | None] = [None] * len(control)
    texts += [bytes(byte_of[letter] for letter in piece) for piece in pieces]
    return tokenizer, texts


def sentence_piece(control: Sequence[str]) -> tuple[Tokenizer, list[bytes | None]]:
    """BPE over characters with a sign for the blank, and a token for every byte."""
    merges = chains([*WORDS, *(sign.replace(" ", BLANK) for sign in SIGNS)])
    merges += [(BLANK, word) for word in WORDS if len(word) > 1]
    pieces = [*CHARACTERS, BLANK, *dict.fromkeys(left + right for left, right in merges)]
    pieces = list(dict.fromkeys(pieces))
    raw = [f"<0x{byte:02X}>" for byte in range(256)]
    vocabulary = {piece: index for index, piece in enumerate([*control, *raw, *pieces])}
    model = models.BPE(vocabulary, merges, unk_token=control[0], fuse_unk=True, byte_fallback=True)
    tokenizer = Tokenizer(model)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(BLANK, " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    texts: list[bytes | None] = [None] * len(control)
    texts += [bytes([byte]) for byte in range(256)]
    texts += [piece.replace(BLANK, " ").encode() for piece in pieces]
    return tokenizer, texts


def unigram(control: Sequence[str], *, fallback: bool) -> tuple[Tokenizer, list[bytes | None]]:
    """Unigram pieces with scores, a blank put before every text; a token for each byte, or none."""
    scores = dict.fromkeys((*CHARACTERS, BLANK), -9.0)
    for word in WORDS:
        scores |= {word: -6.0 - len(word) / 8, BLANK + word: -5.0 - len(word) / 8}
    scores |= dict.fromkeys((sign.replace(" ", BLANK) for sign in SIGNS), -7.0)
    raw = [(f"<0x{byte:02X}>", -30.0) for byte in range(256)] if fallback else []
    pieces = [*((text, 0.0) for text in control), *raw, *scores.items()]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=fallback))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    metaspace = decoders.Metaspace(prepend_scheme="always")
    steps = [decoders.ByteFallback(), metaspace] if fallback else [metaspace]
    tokenizer.decoder = decoders.Sequence(steps)
    texts: list[bytes | None] = [None] * len(control)
    texts += [bytes([byte]) for byte in range(len(raw))]
    texts += [piece.replace(BLANK, " ").encode() for piece in scores]
    return tokenizer, texts


def begins_with(tokenizer: Tokenizer, bos: str) -> None:
    index = tokenizer.token_to_id(bos)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A", pair=f"{bos} $A {bos} $B", special_tokens=[(bos, index)]
    )


# -- families -----------------------------------------------------------------------------------

LOOP = "{% for m in messages %}"
ASKING = "{% if add_generation_prompt %}"


def chat_ml(start: str, end: str) -> str:
    turn = f"{start}{{{{ m.role }}}}\n{{{{ m.content }}}}{end}\n"
    return f"{LOOP}{turn}{{% endfor %}}{ASKING}{start}assistant\n{{% endif %}}"


def with_chat_ml(name: Callable[[str], str], **options: Any) -> Family:
    """Byte-level BPE in a ChatML template, which names its end nowhere else."""
    normalizer = options.pop("normalizer", None)
    pad, start, end = name("<|endoftext|>"), name("<|im_start|>"), name("<|im_end|>")
    backend, texts = byte_level([pad, start, end], **options)
    if normalizer is not None:
        backend.normalizer = normalizer
    backend.add_special_tokens([pad, start, end])
    fast = wrapped(backend, eos_token=pad, pad_token=pad, chat_template=chat_ml(start, end))
    return Family(fast, texts, frozenset({0, 2}))


def wrapped(backend: Tokenizer, **options: Any) -> transformers.PreTrainedTokenizerFast:
    return transformers.PreTrainedTokenizerFast(tokenizer_object=backend, **options)


def qwen(name: Control) -> Family:
    return with_chat_ml(name, normalizer=normalizers.NFC())


def lower(name: Control) -> Family:
    """Text is put in lower case: labels with capitals are written without."""
    forms = [normalizers.NFKC(), normalizers.Lowercase()]
    return with_chat_ml(name, normalizer=normalizers.Sequence(forms))


def characters(name: Control) -> Family:
    return with_chat_ml(name, merging=False)


def digits(name: Control) -> Family:
    """Like Llama 3: whole words are looked up first, digits are split off, heads have two ends."""
    bos, eos = name("<|begin_of_text|>"), name("<|end_of_text|>")
    head, neck, end = name("<|start_header_id|>"), name("<|end_header_id|>"), name("<|eot_id|>")
    backend, texts = byte_level([bos, eos, head, neck, end], ignore_merges=True)
    split = Regex(r"\p{N}{1,3}| ?\p{L}+|\s+(?!\S)|[^\s\p{L}\p{N}]+|\s+")
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(split, "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.add_special_tokens([bos, eos, head, neck, end])
    begins_with(backend, bos)
    turn = f"{head}{{{{ m.role }}}}{neck}\n\n{{{{ m.content | trim }}}}{end}"
    template = f"{bos}{LOOP}{turn}{{% endfor %}}{ASKING}{head}assistant{neck}\n\n{{% endif %}}"
    fast = wrapped(backend, bos_token=bos, eos_token=eos, chat_template=template)
    return Family(fast, texts, frozenset({1, 4}))


def whitespace_runs(name: Control) -> Family:
    """Like GPT-NeoX: runs of blanks are added tokens, matched after normalising."""
    eos = name("<|endoftext|>")
    backend, texts = byte_level([eos])
    backend.normalizer = normalizers.NFC()
    backend.add_special_tokens([eos])
    runs = [" " * length for length in range(6, 1, -1)]
    backend.add_tokens([AddedToken(run, normalized=True, special=False) for run in runs])
    texts += [run.encode() for run in runs]
    fast = wrapped(backend, eos_token=eos, bos_token=eos)
    return Family(fast, texts, frozenset({0}), chat=False)


def prefix_space(name: Control) -> Family:
    """Byte-level with a blank put before every text."""
    eos = name("<|endoftext|>")
    backend, texts = byte_level([eos])
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    backend.add_special_tokens([eos])
    return Family(wrapped(backend, eos_token=eos), texts, frozenset({0}), chat=False)


def deep_seek(name: Control) -> Family:
    """The tags of its turns are added tokens, but not special ones."""
    bos, eos = name("<｜begin▁of▁sentence｜>"), name("<｜end▁of▁sentence｜>")
    user, assistant = name("<｜User｜>"), name("<｜Assistant｜>")
    backend, texts = byte_level([bos, eos])
    backend.add_special_tokens([bos, eos])
    tags = [AddedToken(tag, normalized=False, special=False) for tag in (user, assistant)]
    backend.add_tokens(tags)
    texts += [None, None]
    begins_with(backend, bos)
    said = f"{{% if m.role == 'user' %}}{user}{{{{ m.content }}}}"
    said += f"{{% elif m.role == 'assistant' %}}{assistant}{{{{ m.content }}}}{eos}"
    said += "{% else %}{{ m.content }}{% endif %}"
    template = f"{bos}{LOOP}{said}{{% endfor %}}{ASKING}{assistant}{{% endif %}}"
    fast = wrapped(backend, bos_token=bos, eos_token=eos, chat_template=template)
    return Family(fast, texts, frozenset({1}))


INST = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}"
    "{{ '[INST] ' + m.content.strip() + ' [/INST]' }}{% elif m.role == 'assistant' %}"
    "{{ ' ' + m.content.strip() + eos_token }}"
    "{% else %}{{ raise_exception('Only user and assistant roles') }}{% endif %}{% endfor %}"
)


def pieces_first(name: Control, *, chat: bool = True, scheme: str = "") -> Family:
    """SentencePiece BPE; a blank is put before every text between control tokens, or once."""
    unk, bos, eos = name("<unk>"), name("<s>"), name("</s>")
    backend, texts = sentence_piece([unk, bos, eos])
    if scheme:
        backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)
    else:
        forms = [normalizers.Prepend(BLANK), normalizers.Replace(" ", BLANK)]
        backend.normalizer = normalizers.Sequence(forms)
    backend.add_special_tokens([unk, bos, eos])
    begins_with(backend, bos)
    fast = wrapped(backend, bos_token=bos, eos_token=eos, unk_token=unk)
    fast.chat_template = INST if chat else None
    return Family(fast, texts, frozenset({2}), chat, folds=True)


def llama2(name: Control) -> Family:
    return pieces_first(name)


def llama2_plain(name: Control) -> Family:
    return pieces_first(name, chat=False)


def mistral(name: Control) -> Family:
    return pieces_first(name, scheme="first")


def gemma(name: Control) -> Family:
    """No blank is put before a text; the template refuses system turns, and names its end alone."""
    names = [name(text) for text in ("<unk>", "<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>")]
    unk, bos, eos, start, end = names
    backend, texts = sentence_piece(names)
    backend.normalizer = normalizers.Replace(" ", BLANK)
    backend.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    backend.add_special_tokens([AddedToken(text, normalized=False) for text in names])
    begins_with(backend, bos)
    refusal = "{% if m.role == 'system' %}{{ raise_exception('No system role') }}{% endif %}"
    role = "{{ 'model' if m.role == 'assistant' else m.role }}"
    turn = f"{refusal}{start}{role}\n{{{{ m.content | trim }}}}{end}\n"
    template = f"{bos}{LOOP}{turn}{{% endfor %}}{ASKING}{start}model\n{{% endif %}}"
    fast = wrapped(backend, bos_token=bos, eos_token=eos, unk_token=unk, chat_template=template)
    return Family(fast, texts, frozenset({2, 4}), folds=True)


def phi3(name: Control) -> Family:
    """Control tokens swallow the blanks and line breaks after them."""
    base = [name("<unk>"), name("<s>"), name("<|endoftext|>")]
    tags = [name(f"<|{role}|>") for role in ("user", "assistant", "system", "end")]
    backend, texts = sentence_piece([*base, *tags])
    forms = [normalizers.Prepend(BLANK), normalizers.Replace(" ", BLANK)]
    backend.normalizer = normalizers.Sequence(forms)
    backend.add_special_tokens([AddedToken(text, normalized=False) for text in base])
    backend.add_special_tokens([AddedToken(tag, normalized=False, rstrip=True) for tag in tags])
    user, assistant, system, end = tags
    head = f"{{% if m.role == 'user' %}}{user}{{% elif m.role == 'system' %}}{system}"
    head += f"{{% else %}}{assistant}{{% endif %}}"
    turn = f"{head}\n{{{{ m.content }}}}{end}\n"
    template = f"{LOOP}{turn}{{% endfor %}}{ASKING}{assistant}\n{{% endif %}}"
    unk, bos, eos = base
    fast = wrapped(backend, bos_token=bos, eos_token=eos, unk_token=unk, chat_template=template)
    return Family(fast, texts, frozenset({2, 6}))


def left_stripping(name: Control) -> Family:
    """Control tokens that swallow the blanks before them, and content as a list of parts."""
    pad, start, end = name("<|pad|>"), name("<|turn|>"), name("<|over|>")
    backend, texts = byte_level([pad, start, end])
    backend.add_special_tokens([pad, start, AddedToken(end, lstrip=True, normalized=False)])
    parts = "{% for part in m.content %}{% if part.type == 'text' %}{{ part.text }}"
    turn = f"{start}{{{{ m.role }}}}\n{parts}{{% endif %}}{{% endfor %}}{end}\n"
    template = f"{LOOP}{turn}{{% endfor %}}{ASKING}{start}assistant\n{{% endif %}}"
    fast = wrapped(backend, eos_token=pad, chat_template=template)
    return Family(fast, texts, frozenset({0, 2}))


def unigrams(name: Control, *, fallback: bool = True, chat: bool = False) -> Family:
    unk, bos, eos = name("<unk>"), name("<s>"), name("</s>")
    backend, texts = unigram([unk, bos, eos], fallback=fallback)
    backend.add_special_tokens([unk, bos, eos])
    begins_with(backend, bos)
    fast = wrapped(backend, bos_token=bos, eos_token=eos, unk_token=unk)
    fast.chat_template = INST if chat else None
    return Family(fast, texts, frozenset({2}), chat, folds=True)


def unigram_bytes(name: Control) -> Family:
    return unigrams(name)


def unigram_pieces(name: Control) -> Family:
    """No token for a byte: what the pieces do not cover is unknown."""
    return unigrams(name, fallback=False)


def unigram_chat(name: Control) -> Family:
    return unigrams(name, chat=True)


FWER_METHODS: dict[str, Callable[[Control], Family]] = {
    made.__name__: made
    for made in (
        qwen,
        lower,
        characters,
        digits,
        whitespace_runs,
        prefix_space,
        deep_seek,
        llama2,
        llama2_plain,
        mistral,
        gemma,
        phi3,
        left_stripping,
        unigram_bytes,
        unigram_pieces,
        unigram_chat,
    )
}


def family(name: str, *, disguised: bool = False) -> Family:
    control = Control(disguised)
    made = FWER_METHODS[name](control)
    made.control = control.texts
    return made


# -- models -------------------------------------------------------------------------------------


def network(words: Family, taught: Sequence[tuple[Sequence[int], Sequence[int]]]) -> Any:
    """A random Llama whose head alone is taught: after each prompt, its answer.

    taught: ids of prompts and of their answers. The body stays as it is drawn, so that what is
    likely depends on all of the prompt, and most of what is likely is an answer.
    """
    with torch.random.fork_rng():
        torch.manual_seed(len(words.texts))
        config = transformers.LlamaConfig(
            vocab_size=len(words.texts),
            hidden_size=64,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=512,
            initializer_range=0.12,
            tie_word_embeddings=False,
            bos_token_id=None,
            eos_token_id=None,
        )
        model = transformers.LlamaForCausalLM(config).eval()
        torch.nn.init.normal_(model.model.embed_tokens.weight)
    states: list[torch.Tensor] = []
    targets: list[int] = []
    with torch.no_grad():
        for prompt, answer in taught:
            ids = torch.tensor([[*prompt, *answer]])
            hidden = model.model(ids).last_hidden_state[0]
            states.append(hidden[len(prompt) - 1 : -1])
            targets += answer
    inputs, wanted = torch.cat(states), torch.tensor(targets)
    head = model.lm_head.weight
    optimiser = torch.optim.Adam([head], 0.05, weight_decay=1e-3)
    for _ in range(40):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(inputs @ head.T, wanted).backward()
        optimiser.step()
    for weight in model.parameters():
        weight.requires_grad_(False)
    return model
