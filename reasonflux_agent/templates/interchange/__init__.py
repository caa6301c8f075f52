"""Templates in the formats of other tools.

entries.py     what a file of another tool says, read by the rules of the official format; unproven
markdown.py    a template as the text of a SKILL.md, and back
skills.py      a library as folders of Agent Skills, and back
demos.py       worked examples as the demonstrations of a DSPy program, and back
recognise.py   reads a library in whichever of these formats it is
namespaces.py  a library in a LangGraph store, and the retriever that searches it there
"""
