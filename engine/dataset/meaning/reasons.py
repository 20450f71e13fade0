"""Why a row of a file cannot be learned from: each reason in one plain phrase, counted by kind."""

from engine.errors import Sentence


class Dropped(Exception):
    """This row is left out; `reason` says why."""

    def __init__(self, reason: Sentence):
        super().__init__(reason.en)
        self.reason = reason


UNKNOWN_COLUMNS = Sentence("its columns are not known", "列名无法识别")
NO_ANSWER = Sentence("it has no answer", "没有回答")
EMPTY_ANSWER = Sentence("one of its answers is empty", "中间有一轮回答是空的")
LIST_ANSWER = Sentence("its answer is a list of several texts", "回答是由多段文本组成的列表")
NO_QUESTION = Sentence("it does not begin with a question", "不是以提问开头")
ROLE_ORDER = Sentence("two turns of one side follow each other", "同一方连续说了两轮")
SYSTEM_IN_THE_MIDDLE = Sentence("a system turn stands in the middle", "系统提示词出现在中间")
NO_ROLE_OR_CONTENT = Sentence("a turn has no role or no content", "有一轮缺少角色或内容")
UNKNOWN_ROLE = Sentence("a turn has a role that is not known", "有一轮的角色无法识别")
NOT_TEXT = Sentence("a cell is a list or an object, not text", "有一格是列表或对象，不是文本")
NOT_TURNS = Sentence("its conversation is not a list of turns", "对话不是由多轮组成的列表")
NOT_ONLY_TEXT = Sentence(
    "a turn holds more than text, such as a picture", "有一轮含有图片等非文本内容"
)
BAD_HISTORY = Sentence("its history is not a list of pairs", "history 不是成对的问答")
BAD_CALL = Sentence(
    "a tool call is not JSON with a name and arguments",
    "有一次工具调用不是带 name 和 arguments 的 JSON",
)
BAD_TOOLS = Sentence(
    "its tools are not a list of functions in JSON", "tools 不是 JSON 格式的函数列表"
)
WEIGHT_ZERO = Sentence("all its answers have weight 0", "所有回答的 weight 都是 0")
LABELLED_BAD = Sentence("it is labelled as a bad answer", "被标记为不好的回答")
NO_TEXT = Sentence("its text is empty", "文本为空")
NO_SPEAKER = Sentence("it names no speaker", "没有写明说话人")
NOBODY_ANSWERS = Sentence("the speaker does not answer this line", "所选的人没有接这句台词")
TOO_FAR_BEFORE = Sentence("it stands too many lines before the answer", "离回答隔了太多句")
NOTHING_BEFORE = Sentence("nobody speaks before this line", "这句台词之前没有人说话")
