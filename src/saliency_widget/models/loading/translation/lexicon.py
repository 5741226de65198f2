"""The words of the translation demo: tables of Chinese words, each with one English word.

No word has two meanings, so its Chinese word alone decides an English content word. No two words of one table share a
meaning, all words of a table are equally likely, and tables are combined independently, so nothing else in a sentence
predicts the word.
"""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """A Chinese word and its English. The last word of `en` has the meaning, those before it are function words."""

    zh: str
    en: str


class Noun(NamedTuple):
    """A Chinese noun, its English in the singular, what kind of thing it is, and its measure word ("" = a mass)."""

    zh: str
    en: str
    kind: str
    measure: str


class Verb(NamedTuple):
    """A Chinese verb, its English in the infinitive, and the kinds of objects it takes."""

    zh: str
    en: str
    kinds: tuple[str, ...]


def _entries(table: str) -> tuple[Entry, ...]:
    """Parse "zh en, zh en". The English may contain spaces."""
    return tuple(Entry(*item.strip().split(" ", 1)) for item in table.split(","))


def _nouns(kind: str, measure: str, table: str) -> tuple[Noun, ...]:
    return tuple(Noun(zh, en, kind, measure) for zh, en in _entries(table))


def _verbs(kinds: str, table: str) -> tuple[Verb, ...]:
    return tuple(Verb(zh, en, tuple(kinds.split())) for zh, en in _entries(table))


NOUNS = (
    *_nouns("person", "位", "老師 teacher, 學生 student, 醫生 doctor, 朋友 friend, 鄰居 neighbor, 同學 classmate"),
    *_nouns("person", "位", "同事 colleague, 工程師 engineer, 科學家 scientist, 作家 writer, 畫家 painter"),
    *_nouns("person", "位", "音樂家 musician, 律師 lawyer, 農夫 farmer, 司機 driver, 經理 manager"),
    *_nouns("text", "本", "書 book, 小說 novel, 雜誌 magazine, 課本 textbook, 漫畫 comic"),
    *_nouns("text", "篇", "文章 article, 論文 paper, 報告 report"),
    *_nouns("animal", "隻", "貓 cat, 狗 dog, 鳥 bird, 兔子 rabbit, 猴子 monkey, 老虎 tiger, 大象 elephant"),
    *_nouns("animal", "隻", "烏龜 turtle, 企鵝 penguin, 鴨子 duck"),
    *_nouns("food", "個", "蘋果 apple, 香蕉 banana, 橘子 orange, 蛋糕 cake, 雞蛋 egg, 水餃 dumpling, 餅乾 cookie"),
    *_nouns("food", "", "麵包 bread, 米飯 rice, 湯 soup, 起司 cheese, 茶 tea, 咖啡 coffee, 果汁 juice"),
    *_nouns("thing", "台", "電腦 computer, 相機 camera, 機器人 robot, 汽車 car, 腳踏車 bicycle, 印表機 printer"),
    *_nouns("thing", "張", "桌子 table, 椅子 chair, 地圖 map"),
    *_nouns("thing", "個", "時鐘 clock, 箱子 box, 手機 phone"),
    *_nouns("media", "部", "電影 movie, 影片 video, 廣告 advertisement"),
    *_nouns("media", "張", "照片 photo, 圖片 picture, 海報 poster"),
)

# A field of study is one word, or two independent words: 機器學習, 機器翻譯, 人工智慧, 人工翻譯, ….
FIELD_MODIFIERS = _entries(
    "機器 machine, 人工 artificial, 深度 deep, 語音 speech, 影像 image, 知識 knowledge, 中文 Chinese, 數位 digital,"
    "現代 modern, 線上 online, 社會 social, 古典 classical"
)
FIELD_HEADS = _entries(
    "學習 learning, 智慧 intelligence, 翻譯 translation, 科技 technology, 研究 research, 分析 analysis,"
    "教育 education, 設計 design, 安全 security, 音樂 music, 藝術 art, 文學 literature"
)
FIELDS = _entries("數學 math, 物理 physics, 化學 chemistry, 歷史 history, 哲學 philosophy, 法律 law, 經濟學 economics")

ACTIONS = (
    *_verbs("text", "讀 read, 借 borrow, 列印 print"),
    *_verbs("animal", "畫 paint, 觀察 observe, 保護 protect, 摸 touch, 訓練 train, 追 chase"),
    *_verbs("food", "煮 cook, 嘗 taste, 點 order, 準備 prepare"),
    *_verbs("thing", "使用 use, 修理 repair, 打開 open, 清洗 wash, 檢查 check"),
    *_verbs("media", "看 watch, 下載 download, 上傳 upload, 編輯 edit"),
    *_verbs("field", "學 learn, 解釋 explain, 探索 explore, 練習 practice"),
    *_verbs("person", "感謝 thank, 邀請 invite, 拜訪 visit, 聘請 hire"),
    *_verbs("person animal", "幫助 help"),
    *_verbs("text media", "收藏 collect, 評論 review"),
    *_verbs("text media field", "討論 discuss, 介紹 introduce"),
    *_verbs("text food media", "推薦 recommend"),
    *_verbs("text food thing", "購買 purchase, 分享 share"),
)
STATES = _verbs(
    "person text animal food thing media field",
    "喜歡 like, 愛 love, 討厭 hate, 需要 need, 想要 want, 欣賞 admire, 記得 remember, 信任 trust",
)

ADJECTIVES = _entries(
    "有趣 interesting, 新 new, 舊 old, 小 small, 大 big, 漂亮 beautiful, 便宜 cheap, 昂貴 expensive, 有名 famous,"
    "可愛 cute, 奇怪 strange, 特別 special, 普通 ordinary, 危險 dangerous, 完美 perfect, 重要 important"
)
COLOURS = _entries("紅色 red, 藍色 blue, 白色 white, 黑色 black, 綠色 green")
DEGREES = _entries("很 very, 非常 extremely, 太 too, 相當 quite, 真的 really")

NUMBERS = _entries("一 a, 兩 two, 三 three, 四 four, 五 five, 十 ten, 幾 several")
FREQUENCIES = _entries("常常 often, 總是 always, 有時 sometimes, 通常 usually, 也 also, 仍然 still, 很少 rarely")
MANNERS = _entries(
    "安靜 quietly, 慢慢 slowly, 快樂 happily, 小心 carefully, 認真 seriously, 偷偷 secretly, 熱情 eagerly,"
    "耐心 patiently"
)
PAST_TIMES = _entries("昨天 yesterday, 上週 last week, 去年 last year, 昨晚 last night, 今天早上 this morning")
FUTURE_TIMES = _entries("明天 tomorrow, 下週 next week, 明年 next year, 下個月 next month, 今晚 tonight")
PRESENT_TIMES = _entries("每天 every day, 現在 now, 每個週末 every weekend")
PLACES = _entries(
    "學校 at school, 家 at home, 圖書館 in the library, 公園 in the park, 辦公室 in the office, 餐廳 in the restaurant,"
    "醫院 in the hospital, 博物館 in the museum, 花園 in the garden, 廚房 in the kitchen, 教室 in the classroom,"
    "台北 in Taipei, 日本 in Japan, 車站 at the station, 海邊 on the beach"
)
