"""The Fault Injection Service's API, as far as interrupting spot machines needs it.

https://docs.aws.amazon.com/fis/latest/APIReference/
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request
from moto.core.models import DEFAULT_ACCOUNT_ID

from wrapper.local.api.experiments import Experiment, Template, check_template, new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from threading import RLock

    from wrapper.local.api.backend import Ec2

    Answer = Callable[[Callable[["Fis"], dict[str, Any]]], Response]


class FisError(Exception):
    """An answer that is an error of FIS's."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def _unknown(kind: str, wanted: str) -> FisError:
    return FisError(404, "ResourceNotFoundException", f"{kind} {wanted} does not exist.")


@dataclass
class Fis:
    """The templates and experiments of one region."""

    region: str
    backend: Ec2
    clock: Callable[[], float]
    templates: dict[str, Template] = field(default_factory=dict)
    experiments: dict[str, Experiment] = field(default_factory=dict)
    _by_token: dict[str, Template | Experiment] = field(default_factory=dict)

    def create_template(self, asked: Mapping[str, Any]) -> Template:
        """A new one, or the one that the token made before; FisError."""
        token = f"template {asked.get('clientToken')}"
        if not isinstance(made := self._by_token.get(token), Template):
            if problem := check_template(asked):
                raise FisError(400, "ValidationException", problem)
            one = new_id("EXT")
            made = Template(asked, self._arn("experiment-template", one), self.clock(), one)
            self.templates[one] = self._by_token[token] = made
        return made

    def template(self, wanted: str) -> Template:
        """That one; FisError when there is none."""
        if wanted not in self.templates:
            raise _unknown("Experiment template", wanted)
        return self.templates[wanted]

    def start(self, asked: Mapping[str, Any]) -> Experiment:
        """A new one under way, or the one that the token started before; FisError."""
        token = f"experiment {asked.get('clientToken')}"
        if not isinstance(started := self._by_token.get(token), Experiment):
            template = self.template(asked.get("experimentTemplateId", "")).describe()
            one = new_id("EXP")
            arn, tags = self._arn("experiment", one), asked.get("tags", {})
            now = self.clock()
            started = Experiment(template, arn, one, now, tags, self.backend, self.clock)
            self.experiments[one] = self._by_token[token] = started
            started.run()
        return started

    def experiment(self, wanted: str) -> Experiment:
        """That one as it stands now; FisError when there is none."""
        if wanted not in self.experiments:
            raise _unknown("Experiment", wanted)
        self.experiments[wanted].refresh()
        return self.experiments[wanted]

    def _arn(self, kind: str, one: str) -> str:
        return f"arn:aws:fis:{self.region}:{DEFAULT_ACCOUNT_ID}:{kind}/{one}"


def create_fis(
    backends: Mapping[str, Mapping[str, Ec2]], lock: RLock, clock: Callable[[], float]
) -> Flask:
    """A WSGI application for requests that are signed for `fis`, beside EC2's."""
    regions: dict[str, Fis] = {}

    def answer(act: Callable[[Fis], dict[str, Any]]) -> Response:
        signed = re.search(r"Credential=[^/]+/\d+/([^/]+)/", request.headers["Authorization"])
        region = signed[1] if signed else "us-east-1"
        with lock:
            backend = backends[DEFAULT_ACCOUNT_ID][region]
            backend.lifecycle.refresh()
            try:
                told = act(regions.setdefault(region, Fis(region, backend, clock)))
            except FisError as error:
                headers = {"x-amzn-ErrorType": error.code}
                return _json({"message": error.message}, error.status, headers)
        return _json(told)

    app = Flask("jupyter-clouds-fis", static_folder=None)
    _add_templates(app, answer)
    _add_experiments(app, answer)
    return app


def _json(told: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(json.dumps(told), status=status, headers=headers, mimetype="application/json")


def _summary(described: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: described[key] for key in ("id", "arn", "creationTime", "tags", *keys)}


def _add_templates(app: Flask, answer: Answer) -> None:
    @app.post("/experimentTemplates")
    def create_template() -> Response:
        asked = request.get_json()
        return answer(lambda fis: {"experimentTemplate": fis.create_template(asked).describe()})

    @app.get("/experimentTemplates")
    def list_templates() -> Response:
        def told(fis: Fis) -> dict[str, Any]:
            found = [one.describe() for one in fis.templates.values()]
            keys = ("description", "lastUpdateTime")
            return {"experimentTemplates": [_summary(one, *keys) for one in found]}

        return answer(told)

    @app.get("/experimentTemplates/<wanted>")
    def get_template(wanted: str) -> Response:
        return answer(lambda fis: {"experimentTemplate": fis.template(wanted).describe()})

    @app.delete("/experimentTemplates/<wanted>")
    def delete_template(wanted: str) -> Response:
        def told(fis: Fis) -> dict[str, Any]:
            described = fis.template(wanted).describe()
            del fis.templates[wanted]
            return {"experimentTemplate": described}

        return answer(told)


def _add_experiments(app: Flask, answer: Answer) -> None:
    @app.post("/experiments")
    def start_experiment() -> Response:
        asked = request.get_json()
        return answer(lambda fis: {"experiment": fis.start(asked).describe()})

    @app.get("/experiments")
    def list_experiments() -> Response:
        of_template = request.args.get("experimentTemplateId")

        def told(fis: Fis) -> dict[str, Any]:
            found = [fis.experiment(one).describe() for one in list(fis.experiments)]
            keys = ("experimentTemplateId", "state", "experimentOptions")
            return {
                "experiments": [
                    _summary(one, *keys)
                    for one in found
                    if of_template in (None, one["experimentTemplateId"])
                ]
            }

        return answer(told)

    @app.get("/experiments/<wanted>")
    def get_experiment(wanted: str) -> Response:
        return answer(lambda fis: {"experiment": fis.experiment(wanted).describe()})

    @app.delete("/experiments/<wanted>")
    def stop_experiment(wanted: str) -> Response:
        def told(fis: Fis) -> dict[str, Any]:
            fis.experiment(wanted).stop()
            return {"experiment": fis.experiment(wanted).describe()}

        return answer(told)
