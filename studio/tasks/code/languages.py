"""Languages of code: what they are called, told by a file's name, and which of them an editor can colour."""

from __future__ import annotations

from pathlib import PurePosixPath

from studio.tasks.code.lexing import canonical

SUFFIXES = {
    "python": ".py", "javascript": ".js", "typescript": ".ts", "java": ".java", "c": ".c", "c++": ".cpp", "cpp": ".cpp",
    "c#": ".cs", "csharp": ".cs", "go": ".go", "rust": ".rs", "ruby": ".rb", "php": ".php", "swift": ".swift",
    "kotlin": ".kt", "scala": ".scala", "r": ".r", "julia": ".jl", "lua": ".lua", "perl": ".pl", "shell": ".sh",
    "bash": ".sh", "sql": ".sql", "html": ".html", "css": ".css", "yaml": ".yaml", "toml": ".toml",
    "xml": ".xml", "markdown": ".md", "haskell": ".hs", "dart": ".dart",
}  # fmt: skip
"""The end of a file's name, by the language as a request calls it."""
TITLES = {
    "python": "Python", "javascript": "JavaScript", "typescript": "TypeScript", "java": "Java", "c": "C", "cpp": "C++",
    "csharp": "C#", "go": "Go", "rust": "Rust", "php": "PHP", "ruby": "Ruby", "kotlin": "Kotlin", "swift": "Swift",
    "html": "HTML", "css": "CSS", "sql": "SQL", "shell": "Shell", "json": "JSON", "yaml": "YAML",
    "markdown": "Markdown", "r": "R", "dockerfile": "Dockerfile", "latex": "LaTeX",
}  # fmt: skip
"""Languages that an editor offers, as people write them."""
_BY_SUFFIX = {
    **{suffix: name for name, suffix in reversed(SUFFIXES.items())},
    ".cpp": "cpp", ".cs": "csharp", ".h": "c",
    ".hpp": "cpp", ".hh": "cpp", ".cc": "cpp", ".cxx": "cpp", ".jsx": "javascript", ".mjs": "javascript",
    ".cjs": "javascript", ".tsx": "typescript", ".mts": "typescript", ".cts": "typescript", ".json": "json",
    ".pyi": "python", ".yml": "yaml", ".zsh": "shell", ".htm": "html", ".kts": "kotlin", ".tex": "latex",
    ".scss": "css", ".jsonc": "json", ".dockerfile": "dockerfile",
}  # fmt: skip
_BY_NAME = {
    "dockerfile": "dockerfile", "containerfile": "dockerfile", "gemfile": "ruby", "rakefile": "ruby",
    ".bashrc": "shell", ".zshrc": "shell", ".profile": "shell",
}  # fmt: skip
_SPELLED = {
    "python3": "python", "console": "shell", "cc": "cpp", "h": "c", "md": "markdown", "tex": "latex",
    "docker": "dockerfile",
}  # fmt: skip


def of_file(name: str) -> str:
    """The language that a file's name tells; "" where it tells none."""
    plain = PurePosixPath(name.replace("\\", "/")).name.casefold()
    return _BY_NAME.get(plain) or _BY_SUFFIX.get(PurePosixPath(plain).suffix, "")


def spelled(word: str) -> str:
    """The language that a word means as people and models write it, "C++" or "py"; "" for one that is not offered."""
    name = word.strip().casefold()
    name = _SPELLED.get(name, canonical(name))
    return name if name in TITLES else ""
