"""Words and what the image starter reads for them: Chinese ones in English, English ones by the names that it knows.

Names come from emojibase's Chinese labels; a tag of one icon stands for that icon, one of several is paired with
the English word that they share most. What emoji names do not have (colours, measure words, styles) is listed by
hand.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from train.image import captions, data

BY_HAND = {
    # colours
    "红色": "red", "红": "red", "橙色": "orange", "橙": "orange", "橘色": "orange", "黄色": "yellow",
    "黄": "yellow",
    "绿色": "green", "绿": "green", "浅绿色": "light green", "青色": "teal", "青": "green",
    "蓝色": "blue", "蓝": "blue",
    "浅蓝色": "light blue", "天蓝色": "light blue", "深蓝色": "dark blue", "紫色": "purple", "紫": "purple",
    "粉色": "pink", "粉红色": "pink", "粉": "pink", "棕色": "brown", "褐色": "brown", "棕": "brown",
    "黑色": "black",
    "黑": "black", "白色": "white", "白": "white", "灰色": "gray", "灰": "gray", "金色": "golden",
    "银色": "silver",
    "米色": "beige", "洋红色": "magenta",
    # measure words, particles
    **dict.fromkeys((
        "一个", "一只", "一朵", "一辆", "一条", "一颗", "一棵", "一张", "一座", "一架", "一艘", "一枚", "一把", "一支",
        "一本", "一杯", "一碗", "一块", "一匹", "一头", "一位", "一件", "一双", "一顶", "一根", "一片", "一串", "一种",
        "一间", "一台", "一部", "一幅", "的", "一", "个", "只", "请", "画", "给我", "了", "很", "非常",
    ), ""),
    "和": "and", "与": "and", "小": "little", "大": "big", "可爱": "cute", "可爱的": "cute",
    "在": "on", "上": "",
    # styles
    "扁平风格": "flat style", "扁平": "flat style", "扁平化": "flat style", "卡通风格": "cartoon style",
    "卡通": "cartoon style", "光泽风格": "glossy style", "立体": "glossy 3d", "三维": "glossy 3d",
    "质感": "glossy style",
    "贴纸": "sticker style", "贴纸风格": "sticker style", "图标": "icon", "表情": "emoji", "白底": "on white",
    "白色背景": "white background", "风格": "style",
    # what people call things
    "苹果": "apple", "红苹果": "red apple", "青苹果": "green apple", "香蕉": "banana", "火箭": "rocket",
    "猫": "cat",
    "小猫": "cat", "猫咪": "cat", "猫脸": "cat face", "猫头": "cat face", "狗": "dog", "小狗": "dog",
    "狗脸": "dog face",
    "心": "heart", "爱心": "heart", "红心": "red heart", "蓝心": "blue heart", "汽车": "automobile",
    "车": "automobile",
    "小汽车": "automobile", "轿车": "automobile", "公交车": "bus", "房子": "house", "树": "tree",
    "花": "flower",
    "太阳": "sun", "月亮": "crescent moon", "星星": "star", "云": "cloud", "鱼": "fish",
    "鸟": "bird", "龙": "dragon",
    "马": "horse", "牛": "cow", "羊": "sheep", "猪": "pig", "鸡": "chicken", "鸭子": "duck",
    "兔子": "rabbit",
    "老虎": "tiger", "狮子": "lion", "大象": "elephant", "熊": "bear", "熊猫": "panda", "狐狸": "fox",
    "蛇": "snake",
    "青蛙": "frog", "蝴蝶": "butterfly", "蜜蜂": "honeybee", "书": "book", "笔": "pen",
    "电脑": "laptop", "手机": "mobile phone",
    "杯子": "cup", "蛋糕": "cake", "冰淇淋": "ice cream", "西瓜": "watermelon", "葡萄": "grapes",
    "草莓": "strawberry",
    "橙子": "tangerine", "橘子": "tangerine", "梨": "pear", "桃子": "peach", "樱桃": "cherries",
    "柠檬": "lemon",
    "面包": "bread", "披萨": "pizza", "汉堡": "hamburger", "咖啡": "hot beverage", "啤酒": "beer mug",
    "飞机": "airplane",
    "船": "ship", "自行车": "bicycle", "火车": "train", "足球": "soccer ball", "篮球": "basketball",
    "吉他": "guitar",
    "钢琴": "musical keyboard", "帽子": "hat", "鞋": "shoe", "衣服": "clothes", "眼镜": "glasses",
    "太阳镜": "sunglasses",
    "墨镜": "sunglasses", "笑脸": "smiling face", "哭脸": "crying face", "脸": "face",
    "机器人": "robot", "外星人": "alien",
    "幽灵": "ghost", "骷髅": "skull", "雪人": "snowman", "雨伞": "umbrella", "伞": "umbrella",
    "钥匙": "key", "锁": "locked",
    "灯泡": "light bulb", "时钟": "clock", "礼物": "wrapped gift", "气球": "balloon", "皇冠": "crown",
    "玫瑰": "rose",
    "向日葵": "sunflower", "蘑菇": "mushroom", "胡萝卜": "carrot", "玉米": "ear of corn", "鸡蛋": "egg",
    "戴": "with",
}  # fmt: skip
"""Wins over everything that is derived."""


THINGS = ("animals", "food", "travel", "activities", "objects")
CALLED = {
    "globe": "globe showing europe-africa", "earth": "globe showing europe-africa", "cake": "birthday cake",
    "coffee": "hot beverage", "cup of coffee": "hot beverage", "tea": "teacup without handle", "gift": "wrapped gift",
    "present": "wrapped gift", "car": "automobile", "plane": "airplane", "bike": "bicycle", "phone": "mobile phone",
    "football": "soccer ball", "computer": "laptop", "planet": "ringed planet", "beer": "beer mug",
    "sunflowers": "sunflower", "umbrella": "umbrella", "corn": "ear of corn", "boat": "sailboat",
}  # fmt: skip
"""What people say most often, where several things have the word."""


def build(folder: Path) -> dict[str, str]:
    """Chinese word -> English words ("" for what carries no meaning in a prompt)."""
    known = data.concepts(folder / "packages").values()
    table: dict[str, str] = {}
    together: dict[str, Counter[str]] = defaultdict(Counter)
    english: Counter[str] = Counter()
    for concept in known:
        words = {concept["label"].lower(), *(tag.lower() for tag in concept["tags"])}
        english.update(words)
        for tag in concept["chinese_tags"]:
            together[tag].update(words)
    for tag, shared in together.items():
        owners = [concept for concept in known if tag in concept["chinese_tags"]]
        times = len(owners)
        if len(tag) < 2:  # one sign in many words: too little to go by
            continue
        if times == 1:
            table[tag] = owners[0]["label"].lower()
            continue
        best = max(shared, key=lambda word: (2 * shared[word] / (times + english[word]), -len(word), word))
        if 2 * shared[best] / (times + english[best]) > 0.3:
            table[tag] = best
    for concept in known:
        for name in re.split(r"[:：,，]", concept["chinese"]):
            if name.strip():
                table[name.strip()] = concept["label"].lower()
    table |= BY_HAND
    chinese = re.compile(r"[\u3400-\u9fff]")
    return {word: table[word] for word in sorted(table) if chinese.search(word)} | names(list(known))


def names(known: list[dict[str, Any]]) -> dict[str, str]:
    """What people call a thing -> the label by which it was learnt.

    Only where there is no doubt: one label alone ends in the word, or one thing alone has it as a tag. Labels of
    several words that end in such a word stand for themselves.
    """
    labels = {concept["label"].lower() for concept in known}
    ends: dict[str, set[str]] = defaultdict(set)
    tagged: dict[str, set[str]] = defaultdict(set)
    for concept in known:
        label = concept["label"].lower()
        if re.fullmatch(r"[a-z' -]+", label) and concept["group"] in THINGS:
            ends[label.split()[-1]].add(label)
            for tag in concept["tags"]:
                tagged[tag.lower()].add(label)
    found = dict(CALLED)
    for word in sorted({*ends, *tagged} - labels - found.keys()):
        owners = ends[word] if len(ends[word]) == 1 else tagged[word] if not ends[word] else set()
        if len(owners) == 1 and re.fullmatch(r"[a-z]{3,}(?: [a-z]+)?", word) and not captions.coloured(word):
            found[word] = next(iter(owners))
    kept = {label: label for label in sorted(labels) if " " in label and label.split()[-1] in found}
    return dict(sorted((kept | found).items()))


def write(folder: Path, target: Path) -> None:
    target.write_text(json.dumps(build(folder), ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
