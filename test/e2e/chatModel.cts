/**
 * A stand-in for a chat model: a server on loopback that speaks OpenAI's API, answers with what a test has written down,
 * and keeps what n8n has told it. Nothing in it thinks.
 */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';

import { isRecord } from '../sandbox/server.cjs';

const HOST = '127.0.0.1';

/** A tool as the model is told of it. */
export interface ToolOffer {
	name: string;
	description: string;
	/** JSON Schema. */
	parameters: Record<string, unknown>;
}

/** One request for an answer. */
export interface ModelRequest {
	messages: ReadonlyArray<Record<string, unknown>>;
	tools: readonly ToolOffer[];
}

/** What the model says: text that ends its turn, or calls of tools with their arguments. */
export type ModelAnswer = string | Array<{ tool: string; args: Record<string, unknown> }>;

export interface ChatModel {
	/** The Base URL of an OpenAI credential. */
	baseUrl: string;
	/** What it answers, in order; a test fills it, each request takes one out. */
	script: ModelAnswer[];
	requests: ModelRequest[];
	close: () => Promise<void>;
}

/** What the tools have answered, as the model reads it in its latest request. */
export function toolAnswers({ messages }: ModelRequest): string[] {
	return messages.filter(({ role }) => role === 'tool').map(({ content }) => textOf(content));
}

export async function startChatModel(): Promise<ChatModel> {
	const server = createServer((request, response) => {
		const chunks: Buffer[] = [];
		request.on('data', (chunk: Buffer) => chunks.push(chunk));
		request.on('end', () => {
			if (request.method !== 'POST' || request.url !== '/v1/chat/completions') {
				return send(response, 404, { error: { message: `${request.url} is not part of this` } });
			}
			const body: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
			model.requests.push(readRequest(body));
			const answer = model.script.shift();
			if (answer === undefined) {
				return send(response, 400, { error: { message: 'Nothing more is written down' } });
			}
			send(response, 200, completionOf(answer, model.requests.length));
		});
	});
	server.listen(0, HOST);
	await once(server, 'listening');
	const address = server.address();
	if (address === null || typeof address === 'string') throw new Error('The model has no port');
	const model: ChatModel = {
		baseUrl: `http://${HOST}:${address.port}/v1`,
		script: [],
		requests: [],
		close: async () => {
			server.closeAllConnections();
			server.close();
			await once(server, 'close');
		},
	};
	return model;
}

function send(response: ServerResponse, status: number, body: unknown): void {
	response.statusCode = status;
	response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
}

function readRequest(body: unknown): ModelRequest {
	const list = (value: unknown) => (Array.isArray(value) ? value.filter(isRecord) : []);
	if (!isRecord(body) || body.stream === true) throw new Error('Only whole answers are given here');
	const tools = list(body.tools).flatMap(({ function: offer }): ToolOffer[] =>
		isRecord(offer) && isRecord(offer.parameters)
			? [
					{
						name: String(offer.name),
						description: String(offer.description),
						parameters: offer.parameters,
					},
				]
			: [],
	);
	return { messages: list(body.messages), tools };
}

function completionOf(answer: ModelAnswer, index: number): unknown {
	const calls = typeof answer === 'string' ? [] : answer;
	const message = {
		role: 'assistant',
		content: typeof answer === 'string' ? answer : null,
		...(calls.length && {
			tool_calls: calls.map(({ tool, args }, call) => ({
				id: `call_${index}_${call}`,
				type: 'function',
				function: { name: tool, arguments: JSON.stringify(args) },
			})),
		}),
	};
	return {
		id: `chatcmpl-${index}`,
		object: 'chat.completion',
		created: 0,
		model: 'stand-in',
		choices: [{ index: 0, message, finish_reason: calls.length ? 'tool_calls' : 'stop' }],
		usage: { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 },
	};
}

/** The content of a message, which comes as a text or as parts. */
function textOf(content: unknown): string {
	if (typeof content === 'string') return content;
	const parts: unknown[] = Array.isArray(content) ? content : [];
	return parts.map((part) => (isRecord(part) ? String(part.text) : '')).join('');
}
