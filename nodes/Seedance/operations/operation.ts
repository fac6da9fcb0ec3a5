/**
 * The interface of an operation: its names in the editor, its fields, and its code. Each has a file
 * beside this one.
 */
import type { INodeProperties } from 'n8n-workflow';

import { type Result } from '../run/result';
import type { Run } from '../run/run';

export interface Operation {
	/** Its name in the editor's dropdown. */
	label: string;
	/** Its name in the list of the node's actions. */
	action: string;
	description: string;
	/** In the order in which the editor shows them. */
	fields: readonly INodeProperties[];
	/** Whether it needs the credential. */
	callsApi: boolean;
	/** Whether it starts videos, which costs credits. */
	starts?: true;
	/** Whether it waits until the videos have ended. */
	waits?: true;
	/** Whether the user gives a Callback URL. */
	takesCallback?: true;
	/** One result per item, in order. */
	run: (run: Run) => Promise<Result[]>;
}
