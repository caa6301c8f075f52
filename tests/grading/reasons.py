"""Why we grade some of other graders' pairs (`pairs_dev.jsonl`) against their labels: reason, then digests of the pairs.

A digest is that of tests/grading/against_dev.py; the data are not part of the project.
"""

POLICY = {
    "an answer is stated (in a box, behind `answer is`, alone), not looked for in prose": """
        c2c1dbd2 59fc042b 837ef7e7 e607a6f6 29b0aaab c0c45780 a8d2b035 417487a4 8bead268 806bf1e1 830fa345 f900f141 7bd89fb0
        8988f145 efca327b a5f03519 be7da21b cb361c02""",
    "of several boxes the last one counts": "77bfa852 b37f8eda 7602ebbc 2c75c3c5 7cb5be35 57401d79 d7509c3e 276bdec8 7100fd4f",
    "a decimal is not rounded: 0.333 is not 1/3": """
        3aec4fe7 e057b29a 78317b01 6aafaccd 37e64bc8 0e639f1f 5d225e3c fc3c680e 5953eeb2 33535515 03ab238e 9320d490 b32dbbb7
        7ca171a6 1c351602 cc3d1629 850317be 6a771a7d""",
    "a unit may be missing": "faa90260",
    "a percentage has its sign": "4b8b76b2",
    "a ratio is no fraction": "8e162f74 916a0f43",
    "an equation is not what it is solved for": "076653b2 739fb4b3 2bbc3918",
    "named values are compared in their order, or by their names": "1c980a7e f105b5dc c21c7a4f",
    "another letter for a parameter is another formula": "c975464f 7f745b64",
    "dots are not understood": "ecdf1469 32b9b149",
    "sentences are compared word by word": "51e76db6 7941ee2e 51acd564 cd630ed5",
    "a text with a mark-up of its own is compared as text": "1f663631",
    "|z| is not understood to range over a variable": "57f9e973",
}
NOISE = {
    "the label follows a reader that finds no formula over several lines": "97216daf",
    "the label is wrong": "48e35299 b5364706 15729a86 c9a43d75 0a8871e2 5f26d076",
    "the text is damaged": "0ca3b136 66dfba8c",
}
