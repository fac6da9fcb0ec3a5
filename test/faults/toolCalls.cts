// Calls of the node as an AI agent's tool, several at the same moment: played through n8n's own way of calling tools, and
// held against the books.
import { isRecord } from '../sandbox/server.cjs';
import type { Run, ToolAnswer, ToolCall } from '../support/engine.cjs';
import type { Rule, Verdict, Violation } from './judge.cjs';
import { CREDITS, planOf } from './perform.cjs';
import {
	SETTINGS,
	type FaultPlan,
	type Name,
	type OnErrorSetting,
	type Schedule,
} from './schedule.cjs';
import { answerToPost, lookOf } from './seen.cjs';
import { CREDENTIAL, type Stage } from './stage.cjs';

/** What an agent asks for in one answer of its model. */
export interface Calls {
	operation: 'generate' | 'generateAndWait';
	calls: Array<{ name: Name; after: number }>;
	fates: Schedule['fates'];
	faults: FaultPlan[];
	retryOnFail: boolean;
	onError: OnErrorSetting;
	/** What the account can pay, in videos; null for plenty. */
	affordable: number | null;
}

const promptOf = (name: Name) => `A film about ${name}`;

/** Plays the calls on a stage that is made new for them. */
export async function performCalls(stage: Stage, plan: Calls): Promise<Run> {
	stage.reset();
	const { sandbox, time, n8n } = stage;
	stage.planOf = (order, nth) => planOf(plan, order, nth);
	if (plan.affordable !== null) sandbox.ledger.balance = plan.affordable * CREDITS;
	for (const { route, name, fault, times } of plan.faults) {
		sandbox.faults.on(route, fault, { times, ...(name !== null && { prompt: name }) });
	}
	const toolCalls = plan.calls.map(
		({ name, after }): ToolCall => ({ values: { prompt: promptOf(name) }, after }),
	);
	const run = await n8n.run({
		parameters: {
			operation: plan.operation,
			prompt: "={{ $fromAI('prompt') }}",
			resolution: SETTINGS.resolution,
			duration: SETTINGS.duration,
			options: { timeout: 2 },
		},
		credential: CREDENTIAL,
		toolCalls,
		node: {
			onError: plan.onError,
			...(plan.retryOnFail && { retryOnFail: true, maxTries: 3, waitBetweenTries: 1 }),
		},
	});
	await time.idle();
	return run;
}

function isAnswer(value: unknown): value is ToolAnswer {
	return isRecord(value) && ('answer' in value || typeof value.error === 'string');
}

/** What a call says of its task: from the answer's first item, or from the text of its error. */
interface Told {
	taskId: string | undefined;
	succeeded: boolean;
	isUnclear: boolean;
	text: string;
}

function toldIn(answer: ToolAnswer): Told {
	const text = JSON.stringify(answer);
	const items: unknown = 'answer' in answer ? answer.answer : [];
	const first: unknown = Array.isArray(items) ? items[0] : undefined;
	const item = isRecord(first) ? first : {};
	return {
		taskId: typeof item.task_id === 'string' ? item.task_id : undefined,
		succeeded: item.succeeded === true,
		isUnclear: item.error_code === 'maybe_created' || /may have been (created|started)/i.test(text),
		text,
	};
}

/** Judges what the calls gave on the stage on which they were played. */
export function judgeCalls(stage: Stage, plan: Calls, run: Run): Verdict {
	const violations: Violation[] = [];
	const report = (rule: Rule, text: string) => void violations.push({ rule, text });
	const ids = { output: 0, error: 0, data: 0, log: 0, untold: 0 };
	const { book, sandbox } = stage;
	const answers = (run.reached('Agent') ?? []).map(({ json }): unknown => json);
	if (run.status !== 'success' || answers.length !== plan.calls.length) {
		report(
			'items',
			`${plan.calls.length} calls, ${answers.length} answers, the run is "${run.status}"`,
		);
	}
	const told = answers.filter(isAnswer).map(toldIn);
	const logs = run.logs.map(({ text }) => text).join('\n');
	for (const name of new Set(plan.calls.map((call) => call.name))) {
		const own = told.filter((_, index) => plan.calls[index].name === name);
		const posts = book.posts.filter(
			({ entry }) => isRecord(entry.json) && entry.json.prompt === promptOf(name),
		);
		const kinds = posts.map(answerToPost);
		const first = kinds.findIndex((kind) => kind !== 'refused' && kind !== 'any');
		if (first >= 0 && posts.length > first + 1) {
			const isPaid = posts.slice(first + 1).some(({ entry }) => entry.accepted);
			report(isPaid ? 'charged twice' : 'sent again', `${posts.length} POSTs for "${name}"`);
		}
		// Who shares a POST that was refused knows of no later one.
		const refused = kinds.filter((kind) => kind === 'refused' || kind === 'any').length;
		for (const [index, { entry }] of posts.entries()) {
			const { taskId } = entry;
			if (!entry.accepted || taskId === null || kinds[index] === 'misled') continue;
			if (kinds[index] === 'unclear') {
				ids.untold += 1;
				const silent = own.filter(
					({ isUnclear, text }) => !isUnclear && !text.includes(taskId),
				).length;
				if (silent > 0 && refused === 0)
					report('wrong outcome', `${silent} calls for "${name}" do not say "may have been"`);
				continue;
			}
			const silent = own.filter(({ text }) => !text.includes(taskId));
			if (silent.length < own.length) ids.output += 1;
			else if (logs.includes(taskId)) ids.log += 1;
			else report('id lost', `task ${taskId}`);
			if (silent.length > 0 && refused === 0) {
				report(
					'wrong outcome',
					`${silent.length} of ${own.length} calls for "${name}" do not know its task: ${silent[0].text}`,
				);
			}
		}
		const mayBeUnclear = kinds.some((kind) => kind !== 'created' && kind !== 'refused');
		if (!mayBeUnclear && own.some(({ isUnclear }) => isUnclear)) {
			report(
				'wrong outcome',
				`a call for "${name}" is told as unclear, though every answer was clear`,
			);
		}
		for (const { taskId, succeeded } of own.filter((one) => one.succeeded)) {
			const task = sandbox.tasks.get(taskId ?? '');
			const isShown = book.reads.some((read) => {
				const look = lookOf(read, task);
				return read.entry.taskId === taskId && look.kind === 'task' && look.hasVideo;
			});
			if (succeeded && !isShown)
				report('wrong outcome', `task ${taskId} as a success that nobody has seen`);
		}
	}
	if (run.everything.includes(sandbox.apiKey)) report('secret shown', 'the API key');
	if (stage.openRequests() > 0)
		report('took too long', `${stage.openRequests()} calls were never ended`);
	for (const breach of sandbox.ledger.breaches()) report('contract', breach);
	return { violations, ids };
}
