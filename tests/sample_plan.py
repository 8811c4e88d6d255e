"""The plan of the contract, word for word but for what a test cannot have."""

SAMPLE = """
name = "login-and-i18n"
repo = "."
target = "main"
test = ["python", "-m", "pytest"]
test_timeout = 600
max_terminals = 4
[merge]
cli = "claude"
[error]
cli = "claude"
[orchestrator]
api_type = "openai"
base_url = "https://example.org"
model = "m"
api_key_env = "NAME_OF_A_VARIABLE"
[provider.glm]
base_url = "https://example.org"
model = "glm-4.6"
api_key_env = "GLM_API_KEY"
[cli.mine]
command = ["mine", "--model", "{model}"]
ready = 'regular expression on the rendered screen'
[[task]]
id = "login"
name = "Login page"
branch = "feat/login"
[[task.terminal]]
cli = "claude"
provider = "glm"
role = "coder"
instruction = "write"
"""
