// The oracle of the fault suite: compares what a schedule's executions say with what the sandbox knows. It reads the
// requests, the tasks and the stored executions, and takes the node's word for nothing.
import type { Harness } from './harness.cjs';
import { Facts, type Report, type Violate } from './oracle/facts.cjs';
import {
	checkAtOnce,
	checkIds,
	checkPauses,
	checkRestraint,
	checkCharges,
	checkThrottle,
} from './oracle/posts.cjs';
import { checkRounds } from './oracle/items.cjs';
import { checkCalls, checkEnd, checkSecrets, checkTime } from './oracle/runs.cjs';
import type { Trace } from './runner.cjs';

/** Checks one trace on the harness on which it ran, before that is reset. */
export function checkTrace(harness: Harness, trace: Trace): Report {
	const facts = new Facts(harness, trace);
	const { segments, resumedTwice } = trace;
	const report: Report = {
		violations: [],
		ids: { output: 0, error: 0, data: 0, log: 0, unknown: 0 },
	};
	const violate: Violate = (rule, text) => void report.violations.push({ rule, text });
	if (resumedTwice > 0) violate('resumed twice', `${resumedTwice} times`);
	for (const lineage of new Set(segments.map((segment) => segment.lineage))) {
		const own = segments.filter((segment) => segment.lineage === lineage);
		checkCharges(facts, violate, own);
		checkIds(violate, own, report.ids);
	}
	for (const segment of segments) {
		for (const check of [
			checkRestraint,
			checkAtOnce,
			checkPauses,
			checkThrottle,
			checkRounds,
			checkTime,
			checkSecrets,
		]) {
			check(facts, violate, segment);
		}
		checkEnd(violate, segment);
	}
	checkCalls(facts, violate);
	return report;
}
