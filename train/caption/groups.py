"""What several of ImageNet's classes have in common: said where no single class is likely, and as a tag.

The numbers are those of the ILSVRC 2012 classes, ranges with both ends.
"""

from __future__ import annotations

GROUPS = (
    ("fish", "鱼", "0-1 389-397"), ("shark", "鲨鱼", "2-4"), ("ray", "鳐鱼", "5-6"),
    ("bird", "鸟", "7-24 80-100 127-146"), ("salamander", "蝾螈", "25-29"), ("frog", "青蛙", "30-32"),
    ("turtle", "龟", "33-37"), ("lizard", "蜥蜴", "38-48"), ("crocodile", "鳄鱼", "49-50"), ("snake", "蛇", "52-68"),
    ("spider", "蜘蛛", "72-77"), ("crab", "螃蟹", "118-121 125"), ("lobster", "龙虾", "122-124"),
    ("dog", "狗", "151-268"), ("wild dog", "野生犬", "269-276"), ("fox", "狐狸", "277-280"), ("cat", "猫", "281-285"),
    ("big cat", "大型猫科动物", "286-293"), ("bear", "熊", "294-297"), ("beetle", "甲虫", "300-307"),
    ("insect", "昆虫", "308-320"), ("butterfly", "蝴蝶", "321-326"), ("rabbit", "兔子", "330-332"),
    ("pig", "猪", "341-343"), ("cattle", "牛", "345-347"), ("sheep or goat", "羊", "348-350"),
    ("antelope", "羚羊", "351-353"), ("marten", "鼬科动物", "356-360"), ("ape", "类人猿", "365-369"),
    ("monkey", "猴子", "370-384"), ("elephant", "大象", "101 385-386"),
    ("boat", "船", "472 484 554 576 625 814 871 914 780"), ("ship", "轮船", "403 510 628 724"),
    ("car", "汽车", "436 468 511 609 627 656 661 751 817"), ("truck", "卡车", "555 569 675 717 864 867 864"),
    ("bus", "公共汽车", "654 779 874"), ("train", "火车", "466 547 565 705 820"),
    ("motorcycle", "摩托车", "665 670"), ("bicycle", "自行车", "444 671"), ("aircraft", "飞行器", "404-405 895"),
    ("clock", "钟表", "409 530-531 826 892"), ("guitar", "吉他", "402 546"), ("keyboard", "键盘", "508 810 878"),
    ("computer", "电脑", "527 590 620"), ("bottle", "瓶子", "440 720 737 898 907"), ("cup", "杯子", "504 967-968"),
    ("building", "建筑", "425 483 497 663 668 698 832 442 660"), ("bridge", "桥", "821 839 888"),
    ("shop", "商店", "415 424 454 467 509 582 788 860 865"), ("hat", "帽子", "439 452 515 808"),
    ("shoe", "鞋", "502 514 630 770 774"), ("ball", "球", "429-430 522 574 722 768 805 852 890"),
    ("gun", "枪", "413 763-764"), ("camera", "照相机", "732 759"), ("screen", "屏幕", "664 782 851"),
    ("clothes", "衣服", "399-400 474 501 568 601 608 610 614 617 652 655 735 775 834 841 869"),
    ("seat", "座椅", "423 559 703 765 831 857"), ("vegetable", "蔬菜", "936-946"),
    ("fruit", "水果", "948-957"), ("bread", "面包", "930-932"), ("mushroom", "蘑菇", "947 991-992 994-997"),
    ("landscape", "风景", "970 972-980"), ("flower", "花", "984-986"),
)  # fmt: skip


def members(text: str) -> list[int]:
    """The classes of `0-1 389-397`."""
    found: set[int] = set()
    for piece in text.split():
        first, _, last = piece.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return sorted(found)


def of_class() -> dict[int, int]:
    """The group of each class that has one."""
    return {index: group for group, (_, _, text) in enumerate(GROUPS) for index in members(text)}
