"""The hand-written part of `template.yaml` agrees with the code that it deploys."""

import tomllib
from pathlib import Path

import pytest
import yaml

from stepsmith_functions.actions.kill_process import SCRIPT, KillProcessParams
from stepsmith_functions.history import objects
from stepsmith_functions.history.items import TTL_ATTRIBUTE, table_definition
from stepsmith_functions.runtime import large
from stepsmith_functions.runtime.settings import Settings

ROOT = Path(__file__).parents[2]


class Loader(yaml.SafeLoader):
    """Reads an intrinsic as the value that it is given."""


def _argument(loader, _name, node):
    if isinstance(node, yaml.ScalarNode):
        return node.value
    return loader.construct_sequence(node, deep=True)


Loader.add_multi_constructor("!", _argument)


@pytest.fixture(scope="module")
def template() -> dict:
    return yaml.load((ROOT / "template.yaml").read_text(encoding="utf-8"), Loader=Loader)


def test_the_table_has_the_keys_that_the_history_uses(template):
    properties = template["Resources"]["HistoryTable"]["Properties"]
    wanted = table_definition("any")
    assert {key: properties[key] for key in wanted if key != "TableName"} == {
        key: value for key, value in wanted.items() if key != "TableName"
    }
    assert properties["TimeToLiveSpecification"] == {"AttributeName": TTL_ATTRIBUTE, "Enabled": True}


def test_actions_reach_the_large_values_and_these_end_with_the_history(template):
    prefixes = {objects.PREFIX, large.PREFIX}
    statements = template["Resources"]["ActionRuntimePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    [of_objects] = [each for each in statements if any(name.startswith("s3:") for name in each["Action"])]
    assert of_objects["Action"] == ["s3:GetObject", "s3:PutObject"]
    assert set(of_objects["Resource"]) == {f"${{DataBucket.Arn}}/{prefix}*" for prefix in prefixes}
    rules = template["Resources"]["DataBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    ending = {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules if "Prefix" in rule}
    assert ending == dict.fromkeys(prefixes, "HistoryDays")


def test_the_document_runs_the_script_of_kill_process(template):
    content = template["Resources"]["KillProcessDocument"]["Properties"]["Content"]
    first, *script = content["mainSteps"][0]["inputs"]["runCommand"]
    assert first == "pid={{ ProcessId }} signal={{ Signal }}"
    assert script == SCRIPT.splitlines()
    signals = KillProcessParams.model_json_schema()["properties"]["signal"]["enum"]
    assert content["parameters"]["Signal"]["allowedValues"] == signals


def test_with_nothing_given_the_handlers_find_their_defaults(template):
    given = {name: str(parameter.get("Default", "")) for name, parameter in template["Parameters"].items()}
    settings = Settings.from_environment(
        {
            "FILE_ROOTS": given["FileRoots"],
            "DEFAULT_INSTANCE_ID": given["DefaultInstanceId"],
            "ALERTS_SENDER": given["AlertsSender"],
            "ALLOW_PRIVATE_ADDRESSES": given["AllowPrivateAddresses"],
            "WEBHOOK_SIGNING_SECRET": given["WebhookSigningSecret"],
            "DEFINITIONS_SOURCE": given["DefinitionsSource"],
            "DEFINITIONS_SHA256": given["DefinitionsSha256"],
        }
    )
    assert settings == Settings()


def test_every_parameter_says_what_it_is_for_and_has_a_default(template):
    assert [name for name, found in template["Parameters"].items() if not found.get("Description")] == []
    assert [name for name, found in template["Parameters"].items() if "Default" not in found] == []


@pytest.mark.parametrize("name", ["Dependencies", "Scanning"])
def test_a_layer_is_built_for_the_functions_processors_and_runtime(template, name):
    layer, function = template["Resources"][name], template["Globals"]["Function"]
    assert layer["Metadata"] == {"BuildMethod": function["Runtime"], "BuildArchitecture": "Architecture"}
    assert function["Architectures"] == ["Architecture"]
    assert layer["Properties"]["CompatibleRuntimes"] == [function["Runtime"]]
    assert "boto3" not in (ROOT / layer["Properties"]["ContentUri"] / "requirements.txt").read_text(encoding="utf-8")


def test_only_functions_that_handle_rules_have_the_layer_for_it(template):
    found = template["Resources"].items()
    assert {name for name, each in found if "Layers" in each.get("Properties", {})} == {
        "RecorderFunction",
        "RunScanFunction",
        "UpdateDefinitionsFunction",
    }
    assert template["Resources"]["RunScanFunction"]["Properties"]["Layers"] == ["Scanning"]
    assert template["Globals"]["Function"]["Layers"] == ["Dependencies"]


def test_the_recorder_has_the_source_maps_that_are_built(template):
    layer, recorder = (template["Resources"][name]["Properties"] for name in ("WorkflowMaps", "RecorderFunction"))
    # Lambda unpacks a layer below /opt (documented: developer guide, "Managing Lambda dependencies with layers").
    assert (recorder["Layers"], recorder["Environment"]["Variables"]["WORKFLOW_MAPS"]) == (["WorkflowMaps"], "/opt")
    names = {path.name.partition(".")[0] for path in (ROOT / layer["ContentUri"]).glob("*.map.json")}
    assert names == {path.stem for path in (ROOT / "workflows").glob("*.yaml")}


@pytest.mark.row("S0-076")
def test_settings_say_what_is_logged_how_where_to_and_for_how_long(template):
    """All functions take level and form from one place; each has a log group of its own, kept for as long as is set."""
    assert template["Globals"]["Function"]["LoggingConfig"] == {
        "LogFormat": "JSON",
        "ApplicationLogLevel": "INFO",
        "SystemLogLevel": "WARN",
    }
    resources = template["Resources"]
    groups = {name: each["Properties"] for name, each in resources.items() if each["Type"] == "AWS::Logs::LogGroup"}
    assert {each["RetentionInDays"] for each in groups.values()} == {"LogRetentionDays"}
    functions = {name: each for name, each in resources.items() if each["Type"] == "AWS::Serverless::Function"}
    used = {name: each["Properties"]["LoggingConfig"] for name, each in functions.items()}
    assert [name for name, config in used.items() if config["LogGroup"] not in groups or len(config) > 1] == []
    assert len({config["LogGroup"] for config in used.values()}) == len(functions)
    machines = [each["Properties"] for each in resources.values() if each["Type"] == "AWS::Serverless::StateMachine"]
    assert machines
    assert {machine["Logging"]["Level"] for machine in machines} == {"ERROR"}


@pytest.mark.row("S2-017")
def test_production_is_deployed_with_nothing_that_only_development_needs(template):
    """What `sam deploy --config-env prod` gives names the stage alone; everything else is as safe as the defaults."""
    settings = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))["prod"]
    given = settings["deploy"]["parameters"]["parameter_overrides"]
    assert given == "Stage=prod"
    assert template["Parameters"]["Stage"]["Default"] == "dev"
    assert template["Parameters"]["AllowPrivateAddresses"]["Default"] == "false"
    assert template["Globals"]["Function"]["LoggingConfig"]["ApplicationLogLevel"] == "INFO"
    variables = template["Globals"]["Function"]["Environment"]["Variables"]
    assert [name for name in variables if "DEBUG" in name or name == "AWS_ENDPOINT_URL"] == []
