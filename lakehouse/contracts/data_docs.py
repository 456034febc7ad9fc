"""Great Expectations' own pages of the suites and of what became of them: `reports/data_docs/`.

Here: from the newest verdicts of the gates `contract` to Data Docs, and what keeps them private and readable. Not here:
validating anything (`lakehouse/gates/contracts.py`): the pages hold the counts of a verdict, and so no value of the data.

The pages load their looks from content networks. Without those the pages of results and suites still read as plain text
(without the icons of the column "Status"), but the start page stays empty, so it begins with a plain list of the pages. The logo
that Great Expectations loads tells its server of each page that is opened; here it is a local file.
"""

from __future__ import annotations

import html
import os
import re
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from lakehouse.chain.manifests import manifest_days
from lakehouse.contracts import suites
from lakehouse.contracts.adapter import gx_expectation
from lakehouse.contracts.suites import Suite
from lakehouse.gates.verdicts import STAGE_OF, read_verdicts
from lakehouse.lake import Lake
from lakehouse.records import Verdict
from lakehouse.timestamps import read

NAME = "data_docs"
_BEACON = re.compile(r"https://great-expectations-web-assets[^\"')\s]*")
_LOGO = Path("static/images/logo-long.png")
_BODY = re.compile(r"<body[^>]*>")


class _Page(NamedTuple):
    """A suite, the day or file that it was held against, and the verdict, where there is one."""

    suite: Suite
    about: str
    verdict: Verdict | None


def write_data_docs(lake: Lake, reports: Path) -> Path:
    """Write the pages of all suites with the newest verdicts, in place of the old ones; give their start page.

    Evidence is shown with its newest day. A suite that nothing was held against yet is shown by itself.
    """
    with tempfile.TemporaryDirectory(prefix="data-docs-") as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        site = _build(Path(scratch), list(_pages(lake)))
        for page in (*site.rglob("*.html"), *site.rglob("*.css")):
            _keep_private(page, site)
        _list_pages(site)
        return _replace(site, reports / NAME) / "index.html"


def _pages(lake: Lake) -> Iterator[_Page]:
    days = [day for day in manifest_days(lake, STAGE_OF["evidence"]) if _contract(lake, "evidence", day)]
    newest = days[-1] if days else None
    yield _Page(
        suites.evidence(newest or "the day"), newest or "", _contract(lake, "evidence", newest) if newest else None
    )
    for suite in (suites.SFT, suites.RAG, suites.PREFERENCE):
        yield _Page(suite, suite.asset, _contract(lake, suite.asset, None))


def _contract(lake: Lake, asset: str, day: str | None) -> Verdict | None:
    return read_verdicts(lake, asset, day).get(suites.CHECK)


def _build(scratch: Path, pages: list[_Page]) -> Path:
    """Let Great Expectations make its pages in a folder of its own; give the folder of the pages."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="file", project_root_dir=scratch)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    context.variables.analytics_enabled = False
    context.variables.data_docs_sites = {
        NAME: {
            "class_name": "SiteBuilder",
            "show_how_to_buttons": False,
            "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(scratch / "site")},
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        }
    }
    for page in pages:
        rows = page.verdict.rows_checked if page.verdict else 0
        decodes = gx.expectations.ExpectTableRowCountToEqual(value=rows, description=suites.DECODES)
        made = [decodes, *(gx_expectation(one, {}) for one in page.suite.expectations)]
        context.suites.add(gx.ExpectationSuite(name=page.suite.asset, expectations=made))
        if page.verdict is not None and page.verdict.tables:
            _store(context, page, page.verdict, made)
    context.build_data_docs()
    return scratch / "site"


def _store(context: Any, page: _Page, verdict: Verdict, made: list[Any]) -> None:
    """Give Great Expectations a verdict as the result of a validation that it could have made."""
    import great_expectations as gx
    from great_expectations.core import ExpectationSuiteValidationResult
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.resource_identifiers import (
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )

    said = {row["expectation"]: row for row in (verdict.tables or {})[suites.TABLE]}
    results = [_result(one, said[one.description]) for one in made if one.description in said]
    passed = sum(bool(one.success) for one in results)
    run = RunIdentifier(run_name=page.about, run_time=_moment(verdict.checked_at))
    result = ExpectationSuiteValidationResult(
        success=verdict.passed,
        results=results,
        suite_name=page.suite.asset,
        statistics={
            "evaluated_expectations": len(results),
            "successful_expectations": passed,
            "unsuccessful_expectations": len(results) - passed,
            "success_percent": 100.0 * passed / len(results) if results else None,
        },
        meta={"run_id": run, "great_expectations_version": gx.__version__},
    )
    key = ValidationResultIdentifier(ExpectationSuiteIdentifier(page.suite.asset), run, page.suite.asset)
    context.validation_results_store.set(key, result)


def _result(expectation: Any, row: dict[str, Any]) -> Any:
    from great_expectations.core import ExpectationValidationResult

    rows, failed, broken = row["rows"], row["failed"], row["outcome"] == "broken"
    share = 100.0 * failed / rows if rows else 0.0
    found = {"element_count": rows, "unexpected_count": failed, "unexpected_percent": share}
    if expectation.description == suites.DECODES:
        found = {"observed_value": rows - failed}
    why = "the expectation is broken: it could not look" if broken else None
    return ExpectationValidationResult(
        success=row["outcome"] == "held",
        expectation_config=expectation.configuration,
        result={} if broken else found,
        exception_info={"raised_exception": broken, "exception_message": why, "exception_traceback": why},
        meta={},
    )


def _moment(stamp: str) -> Any:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(read(stamp).micros / 1e6, UTC)


def _keep_private(page: Path, site: Path) -> None:
    """Take out the image by which a server learns who opens which page."""
    logo = os.path.relpath(site / _LOGO, page.parent)
    page.write_text(_BEACON.sub(logo, page.read_text(encoding="utf-8")), encoding="utf-8")


def _list_pages(site: Path) -> None:
    """Begin the start page with a list of the others that needs no script."""
    index = site / "index.html"
    items = []
    for folder, called in (("validations", "Results"), ("expectations", "Suite")):
        for page in sorted((site / folder).rglob("*.html")):
            link = page.relative_to(site).as_posix()
            name = Path(link).with_suffix("").parts[1]
            items.append(f'<li><a href="{html.escape(link)}">{called}: {html.escape(name)}</a></li>')
    listing = f'<nav style="padding: 1rem"><p>Contracts</p><ul>{"".join(items)}</ul></nav>'
    text = index.read_text(encoding="utf-8")
    index.write_text(_BODY.sub(lambda body: body[0] + listing, text, count=1), encoding="utf-8")


def _replace(site: Path, target: Path) -> Path:
    """Put a folder in the place of another, whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    new, old = (target.with_name(f".{target.name}.{what}-{os.getpid()}") for what in ("new", "old"))
    for leftover in target.parent.glob(f".{target.name}.*-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    # The moving pictures explain what a page without them says too, and are most of its size.
    shutil.copytree(site, new, ignore=shutil.ignore_patterns("*.gif"))
    if target.exists():
        target.rename(old)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)
    return target
