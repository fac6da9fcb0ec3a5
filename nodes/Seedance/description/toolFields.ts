/** What the editor shows differently for a tool of an AI agent. */
import type { INodeProperties } from 'n8n-workflow';

/**
 * Hides a field in a tool. A tool keeps checking, gives one text per call, and has no input, so
 * some fields would do nothing there (docs/n8n-behaviour.md#fields-of-a-tool).
 */
export const notAsTool = { show: { '@tool': [false] } };

/**
 * Shown in a tool, because n8n has its button for the model in text fields and switches, but not in
 * dropdowns.
 */
export const dropdownNotice: INodeProperties = {
	displayName:
		"To let the AI agent choose in a dropdown, switch the field to Expression and write, for example: {{ $fromAI('duration', '4, 8 or 12 seconds', 'number') }}",
	name: 'dropdownNotice',
	type: 'notice',
	default: '',
	displayOptions: { show: { '@tool': [true] } },
};
