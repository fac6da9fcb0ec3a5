// Calls of the node as an AI agent's tool, several at the same moment: run through n8n's own way of calling tools, and
// compared with what the sandbox knows.
import { isRecord } from '../sandbox/server.cjs';
import type { Run, ToolOutput } from '../support/engine.cjs';
import { postOutcomeOf, readingOf } from './expected.cjs';
import { CREDENTIAL, type Harness } from './harness.cjs';
import { isOfTask, promptIn, type Report, type Violate } from './oracle/facts.cjs';
import { addTrouble, planOf } from './runner.cjs';
import { creditsOf, PLAIN, SETTINGS, V1, type Name, type Schedule } from './schedule.cjs';

/** What an agent asks for in one turn of its model. */
export interface Calls
	extends Pick<Schedule, 'endings' | 'faults' | 'retryOnFail' | 'onError' | 'affordable'> {
	operation: 'generate' | 'generateAndWait';
	calls: Array<{ name: Name; after: number }>;
}

/** Two equal calls of the same moment. */
export const EQUAL: Calls = {
	...PLAIN,
	operation: 'generateAndWait',
	calls: [
		{ name: 'apple', after: 0 },
		{ name: 'apple', after: 0 },
	],
};

const promptOf = (name: Name) => `A film about ${name}`;

/** Runs the calls on a harness that is reset for them. */
async function runCalls(harness: Harness, plan: Calls): Promise<Run> {
	const { operation, calls, retryOnFail, onError } = plan;
	harness.reset();
	harness.planOf = (order, nth) => planOf(plan, order, nth);
	const { faults, affordable } = plan;
	const balance = affordable === null ? undefined : affordable * creditsOf(V1);
	addTrouble(harness, { faults, balance });
	const run = await harness.n8n.run({
		parameters: {
			operation,
			prompt: "={{ $fromAI('prompt') }}",
			resolution: SETTINGS.resolution,
			duration: SETTINGS.duration,
			options: { timeout: 2 },
		},
		credential: CREDENTIAL,
		toolCalls: calls.map(({ name, after }) => ({ values: { prompt: promptOf(name) }, after })),
		node: { onError, ...(retryOnFail && { retryOnFail, maxTries: 3, waitBetweenTries: 1 }) },
	});
	await harness.time.idle();
	return run;
}

const isToolOutput = (value: unknown): value is ToolOutput =>
	isRecord(value) && ('answer' in value || typeof value.error === 'string');

/** What a call says of its task: in the first item of its output, or in the text of its error. */
function reportOf(output: ToolOutput) {
	const text = JSON.stringify(output);
	const items: unknown = 'answer' in output ? output.answer : [];
	const first: unknown = Array.isArray(items) ? items[0] : undefined;
	const item = isRecord(first) ? first : {};
	return {
		taskId: String(item.task_id),
		hasSucceeded: item.succeeded === true,
		isUnclear: item.error_code === 'maybe_created' || /may have been (created|started)/i.test(text),
		text,
	};
}

/** Runs the calls, and compares what they gave with what the sandbox knows. */
export async function checkToolCalls(harness: Harness, plan: Calls): Promise<Report> {
	const run = await runCalls(harness, plan);
	const { sandbox, requests } = harness;
	const report: Report = {
		violations: [],
		ids: { output: 0, error: 0, data: 0, log: 0, unknown: 0 },
	};
	const violate: Violate = (rule, text) => void report.violations.push({ rule, text });
	const outputs = (run.reached('Agent') ?? []).map(({ json }): unknown => json);
	if (run.status !== 'success' || outputs.length !== plan.calls.length) {
		violate('items', `${outputs.length} outputs of ${plan.calls.length}, "${run.status}"`);
	}
	const reports = outputs.filter(isToolOutput).map(reportOf);
	const logs = run.logs.map(({ text }) => text).join('\n');
	for (const name of new Set(plan.calls.map((call) => call.name))) {
		// n8n numbers the tries of a call before it knows of the next call, so that a retried one may get the arguments of
		// another, and its output.
		const isMixedUp = ({ text }: (typeof reports)[number]) =>
			plan.retryOnFail &&
			plan.calls.some((call) => call.name !== name && text.includes(promptOf(call.name)));
		const own = reports.filter((one, index) => plan.calls[index].name === name && !isMixedUp(one));
		const posts = requests.posts.filter(({ entry }) => promptIn(entry) === promptOf(name));
		const kinds = posts.map(postOutcomeOf);
		const isRefused = (kind: string) => kind === 'refused' || kind === 'any';
		const first = kinds.findIndex((kind) => !isRefused(kind));
		if (first >= 0 && posts.length > first + 1) {
			const isPaid = posts.slice(first + 1).some(({ entry }) => entry.accepted);
			violate(isPaid ? 'charged twice' : 'sent again', `${posts.length} POSTs for "${name}"`);
		}
		// A caller that shares a POST that was refused does not hear of a later one.
		const isReportedToAll = !kinds.some(isRefused);
		for (const [index, { entry }] of posts.entries()) {
			const { taskId } = entry;
			if (!entry.accepted || taskId === null || kinds[index] === 'misled') continue;
			const isUnclear = kinds[index] === 'unclear';
			const silent = own.filter(
				(one) => !one.text.includes(taskId) && !(isUnclear && one.isUnclear),
			);
			if (isUnclear) report.ids.unknown += 1;
			else if (silent.length < own.length) report.ids.output += 1;
			else if (logs.includes(taskId)) report.ids.log += 1;
			else violate('id lost', `task ${taskId}`);
			if (silent.length > 0 && isReportedToAll) {
				violate('wrong outcome', `a call for "${name}" is silent of its task: ${silent[0].text}`);
			}
		}
		const mayBeUnclear = kinds.some((kind) => kind !== 'created' && kind !== 'refused');
		if (!mayBeUnclear && own.some(({ isUnclear }) => isUnclear)) {
			violate('wrong outcome', `a call for "${name}" is unclear, though every response was clear`);
		}
		for (const { taskId } of own.filter(({ hasSucceeded }) => hasSucceeded)) {
			const task = sandbox.tasks.get(taskId);
			const reads = requests.reads.filter(isOfTask(taskId));
			if (reads.some((read) => readingOf(read, task).hasVideo)) continue;
			violate('wrong outcome', `task ${taskId} as a success that was never read`);
		}
	}
	if (run.everything.includes(sandbox.apiKey)) violate('secret shown', 'the API key');
	const open = harness.openRequests();
	if (open > 0) violate('took too long', `${open} calls were never ended`);
	for (const breach of sandbox.ledger.breaches()) violate('contract', breach);
	return report;
}
