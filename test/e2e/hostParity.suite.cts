// The host that the integration tests run the trigger in is compared with a real n8n: the same requests get the same
// answers, and start runs with the same items.
import { gzipSync } from 'node:zlib';

import { json, send, signedQuery } from '../support/hostile.cjs';
import { startTriggerHost } from '../support/triggerHost.cjs';
import { runsOf, sandbox, saveTrigger, startedWith, until } from '../support/n8n/world.cjs';
import { startTaskAt } from '../support/tasks.cjs';

type Request = Parameters<typeof send>[1];

const typed = (type: string, body: string | Buffer, more: Record<string, string> = {}) => ({
	headers: { 'content-type': type, ...more },
	body: Buffer.from(body),
});
const end = (taskId: string) => JSON.stringify({ data: { task_id: taskId, status: 'SUCCESS' } });
const part = (taskId: string) =>
	`--cut\r\ncontent-disposition: form-data; name="task_id"\r\n\r\n${taskId}\r\n--cut--\r\n`;

/** Requests that are signed unless they give another query, each about a task of its own. */
const REQUESTS: Readonly<Record<string, (taskId: string, query: string) => Request>> = {
	JSON: (id) => typed('application/json', end(id)),
	'JSON behind a byte order mark': (id) => typed('application/json', `\ufeff${end(id)}`),
	'packed JSON': (id) =>
		typed('application/json', gzipSync(end(id)), { 'content-encoding': 'gzip' }),
	'JSON as text': (id) => typed('text/plain; charset=utf-8', end(id)),
	'JSON of a type of its own': (id) => typed('application/vnd.seedance+json', end(id)),
	'JSON without a type': (id) => ({ body: Buffer.from(end(id)) }),
	'JSON sent as a form': (id) => typed('application/x-www-form-urlencoded', end(id)),
	'a form': (id) => typed('application/x-www-form-urlencoded', `a=1&a=2&task_id=${id}`),
	'a form in parts': (id) => typed('multipart/form-data; boundary=cut', part(id)),
	XML: (id) => typed('application/xml', `<R><Task_ID>${id}</Task_ID><x a="1"/><x/></R>`),
	'a GET': (id, query) => ({ method: 'GET', query: `${query}&task_id=${id}` }),
	'no signature': (id) => ({ query: `task_id=${id}` }),
	'a signature in a list': (_id, query) => ({ query: query.replace('sig=', 'sig[]=') }),
	'a signature with brackets beside it': (id, query) => ({
		query: `${query}&a[b][c]=1&task_id=${id}`,
	}),
	'a task that nobody has': () => json({ task_id: 'seed15none' }),
	'no task': () => json({ a: 1 }),
	'no body': () => ({}),
};

describe('the trigger host of the integration tests', () => {
	it('answers, and starts runs with the same items, as a real n8n does', async () => {
		const { apiKey, baseUrl, tasks } = sandbox;
		const query = signedQuery(apiKey, { row: 1 });
		const requests: Array<[string, Request]> = [];
		for (const [name, make] of Object.entries(REQUESTS)) {
			const request = { query, ...make(await startTaskAt(sandbox), query) };
			requests.push([name, request], [`${name}, repeated`, request]);
		}
		await until('all tasks have ended', () => tasks.all().every(({ ended }) => ended));
		const answersAt = async (url: string) => {
			const answers = [];
			for (const [name, request] of requests) {
				const { status, headers, body } = await send(url, request);
				const { 'content-type': type, 'retry-after': retryAfter } = headers;
				answers.push({ name, status, type, retryAfter, body });
			}
			return answers;
		};

		const workflow = await saveTrigger();
		const real = await answersAt(workflow.productionUrl);
		const count = real.filter(({ body }) => body.includes('started')).length;
		const items = startedWith(await runsOf(workflow.id, count));
		expect(count).toBe(12);

		const host = await startTriggerHost();
		try {
			host.credentials.set('Main account', { apiKey, baseUrl });
			expect(await answersAt(host.trigger.url)).toEqual(real);
			expect(host.runs.map((run) => run.json[0])).toEqual(items);
			expect(host.thrown).toEqual([]);
		} finally {
			await host.close();
		}
	}, 120_000);
});
