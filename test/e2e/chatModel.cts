/**
 * A stand-in for a chat model: a server on loopback that speaks OpenAI's API, answers with what a test has written down,
 * and keeps what n8n has told it. Nothing in it thinks.
 */
import fastify from 'fastify';

import { isRecord } from '../sandbox/server.cjs';
import { HOST } from '../support/serverProcess.cjs';

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
	const script: ModelAnswer[] = [];
	const requests: ModelRequest[] = [];
	const server = fastify({ forceCloseConnections: true });
	server.post('/v1/chat/completions', async ({ body }, reply) => {
		requests.push(readRequest(body));
		const answer = script.shift();
		// n8n does not send it again then.
		if (answer === undefined) return await reply.code(400).send({ error: 'No more is written' });
		return completionOf(answer, requests.length);
	});
	const origin = await server.listen({ host: HOST, port: 0 });
	return {
		baseUrl: `${origin}/v1`,
		script,
		requests,
		close: async () => await server.close(),
	};
}

function readRequest(body: unknown): ModelRequest {
	const list = (value: unknown) => (Array.isArray(value) ? value.filter(isRecord) : []);
	if (!isRecord(body) || body.stream === true) throw new Error('Only whole answers are given here');
	const tools = list(body.tools).map((tool) => {
		const { name, description, parameters } = Object(tool.function);
		return { name, description, parameters };
	});
	return { messages: list(body.messages), tools };
}

function completionOf(answer: ModelAnswer, index: number): object {
	const calls = typeof answer === 'string' ? [] : answer;
	const tool_calls = calls.map(({ tool, args }, call) => ({
		id: `call_${index}_${call}`,
		type: 'function',
		function: { name: tool, arguments: JSON.stringify(args) },
	}));
	const message = {
		role: 'assistant',
		content: typeof answer === 'string' ? answer : null,
		...(calls.length && { tool_calls }),
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
